import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '@malha/testing'
import { expect } from 'vitest'
import { faultMesh } from './fault-mesh.ts'
import { judgeBook, type Verdict } from './order-book.ts'
import { busyOwner, newBook, partitionOfKey, publishSteps, startWalker, type Walker } from './ordered-fixture.ts'
import { source } from './ordered-jobs.ts'
import { walkingWorker } from './ordered-worker.ts'

export type WalkOptions = {
  keys: number
  each: number
  /** Every second one a SIGKILL, the others a SIGSTOP. */
  rounds: number
}

/**
 * Three processes take the steps of many keys, one in fifty of which fails a few times; again and again one that holds at
 * least three retries of different age is killed, or stopped for longer than its lease and woken.
 */
export async function walkThroughKills({ keys: count, each, rounds }: WalkOptions): Promise<Verdict> {
  using book = newBook()
  await using t = await faultMesh([source, walkingWorker])
  await using pool = new AsyncDisposableStack()
  const add = async (): Promise<Walker> => pool.use(await startWalker(t, book.file))
  let walkers = [await add(), await add(), await add()]
  const keys = Array.from({ length: count }, (_, index) => `k${index}`)
  const expected = new Map(keys.map((key) => [key, each]))
  const judge = (): Verdict => judgeBook(book.file, expected, partitionOfKey)
  const publishing = publishSteps(t.mesh, keys, each)
  for (let round = 0; round < rounds; round += 1) {
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
  await eventually(() => expect(judge().lost).toEqual([]), { timeoutMs: 300_000, intervalMs: 1_000 })
  for (const walker of walkers) expect(await walker.drain()).toBe(0)
  return judge()
}
