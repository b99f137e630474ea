import { setTimeout as sleep } from 'node:timers/promises'
import { defineService } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { judgeBook } from './order-book.ts'
import { busyOwner, newBook, partitionOfKey, publishSteps, startWalker, type Walker } from './ordered-fixture.ts'
import { taken } from './ordered-jobs.ts'

const KEYS = 300
const EACH = 60

test('owners killed and stopped while their keys hold retries: no step out of order, none lost', async () => {
  await using t = await testMesh()
  using book = newBook()
  await t.mesh.provision(defineService('source', { handlers: {}, publishes: [taken] }))
  await using pool = new AsyncDisposableStack()
  const add = async (): Promise<Walker> => pool.use(await startWalker(t, book.file))
  let walkers = [await add(), await add(), await add()]
  const keys = Array.from({ length: KEYS }, (_, index) => `k${index}`)
  const expected = new Map(keys.map((key) => [key, EACH]))
  const publishing = publishSteps(t.mesh, keys, EACH)

  for (let round = 0; round < 4; round += 1) {
    const victim = await busyOwner(t, walkers)
    if (round % 2 === 0) {
      victim.signal('SIGKILL')
      walkers = [...walkers.filter((one) => one !== victim), await add()]
    } else {
      // Longer than its lease: it wakes in the middle of what it was doing, and somebody else has it.
      victim.signal('SIGSTOP')
      await sleep(3_500)
      victim.signal('SIGCONT')
    }
  }
  await publishing
  await eventually(() => expect(judgeBook(book.file, expected, partitionOfKey).lost).toEqual([]), {
    timeoutMs: 60_000,
    intervalMs: 500,
  })
  for (const walker of walkers) expect(await walker.drain()).toBe(0)
  const verdict = judgeBook(book.file, expected, partitionOfKey)
  expect(verdict.inversions).toEqual([])
  expect(verdict.stale).toEqual([])
  console.log({ repeats: verdict.repeats, begun: verdict.begun })
})
