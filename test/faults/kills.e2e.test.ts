import { setTimeout as sleep } from 'node:timers/promises'
import { eventually, faultProxy } from '@malha/testing'
import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { deadLetters, partner, settled, storedIds, workerMesh } from './fixture.ts'
import { asked, closed, finished, jobs } from './jobs.ts'

const ROUNDS = 5
const JOBS = 10
/** The heir waits for it in each round; a worker that the machine keeps waiting for less loses nothing. */
const ACK_WAIT_MS = 6_000

test('SIGKILL between publish and ack, restart past the duplicate window: one output event a job', async () => {
  const waiting: ServerResponse[] = []
  let holds = true
  await using office = await partner((_, response) => void (holds ? waiting.push(response) : response.end()))
  await using t = await workerMesh({ partner: office, ackWaitMs: ACK_WAIT_MS })
  await using proxy = await faultProxy({ target: t.url })
  for (let round = 0; round < ROUNDS; round += 1) {
    holds = true
    const doomed = await t.startWorker(proxy.url)
    for (let n = round * JOBS; n < (round + 1) * JOBS; n += 1)
      await t.mesh.publish(asked, { jobId: `j${n}`, n }, { id: `j${n}` })
    await eventually(() => expect(waiting.length).toBe(JOBS))
    // From here on it hears nothing of the server: its outputs are stored, its acks never sent.
    proxy.stall('toClient')
    for (const response of waiting.splice(0)) response.end()
    await eventually(async () => expect((await storedIds(t)).get(finished.type)?.size).toBe((round + 1) * JOBS))
    await doomed.kill()
    proxy.cut()
    proxy.resume('toClient')
    // The server forgets the outputs' ids; that this much time passes is what is tested.
    await sleep(jobs.duplicateWindowMs * 1.25)
    holds = false
    await using heir = await t.startWorker()
    await eventually(async () => expect((await storedIds(t)).get(closed.type)?.size).toBe((round + 1) * JOBS), {
      timeoutMs: 60_000,
    })
    for (const handler of ['work', 'close']) await settled(t, handler)
    expect(await heir.drain()).toBe(0)
  }
  const stored = await storedIds(t)
  for (const { type } of [finished, closed]) {
    const ids = stored.get(type)
    expect(ids?.size).toBe(ROUNDS * JOBS)
    expect([...(ids?.values() ?? [])].every((times) => times === 1)).toBe(true)
  }
  expect([...office.calls.values()].filter((times) => times !== 2)).toEqual([])
  expect(await deadLetters(t)).toBe(0)
})
