import { defineService, type MeshError } from '@malha/mesh'
import { eventually } from '@malha/testing'
import { expect, test } from 'vitest'
import { type FaultMesh, faultMesh } from './fault-mesh.ts'
import { startResponder, type Worker } from './fixture.ts'
import { sums } from './responder.ts'
import { counting, sum } from './sums.ts'

/** A process takes its time to start; the conformance suite has more of them, in one process. */
const RESTARTS = 4

const asker = defineService('asker', { handlers: {} })
const deployed = (): Promise<FaultMesh> => faultMesh([asker, sums], { asker: { asks: [sum, counting] } })

test('rolling restarts of responder processes under load: no request fails', async () => {
  await using t = await deployed()
  await using pool = new AsyncDisposableStack()
  const responders = [pool.use(await startResponder(t)), pool.use(await startResponder(t))]
  const load = asking(t, 16)
  for (let restart = 0; restart < RESTARTS; restart += 1) {
    responders.push(pool.use(await startResponder(t)))
    await load.next(50)
    expect(await (responders.shift() as Worker).drain()).toBe(0)
  }
  const { failures, answered, by } = await load.stop()
  expect(failures).toEqual([])
  expect(answered).toBeGreaterThan(50 * RESTARTS)
  // All of them took part.
  expect(by.size).toBe(RESTARTS + 2)
})

test('SIGKILL of responders under load: what they held fails by its deadline, everything else is answered', async () => {
  await using t = await deployed()
  await using pool = new AsyncDisposableStack()
  const responders = [pool.use(await startResponder(t)), pool.use(await startResponder(t))]
  const load = asking(t, 16)
  for (let kill = 0; kill < 2; kill += 1) {
    responders.push(pool.use(await startResponder(t)))
    await load.next(100)
    await (responders.shift() as Worker).kill()
  }
  const { failures, answered } = await load.stop()
  expect(answered).toBeGreaterThan(200)
  expect(failures.length).toBeLessThanOrEqual(2 * 16)
  for (const { message } of failures) expect(message).toContain('it may or may not have been done')
})

test('SIGKILL of a responder in the middle of a stream is an error soon, and so is SIGSTOP', async () => {
  await using t = await deployed()
  for (const how of ['SIGKILL', 'SIGSTOP'] as const) {
    await using responder = await startResponder(t)
    const got: number[] = []
    const read = async (): Promise<void> => {
      for await (const { n } of t.mesh.requestStream(counting, { everyMs: 10 }, { idleMs: 1500 })) {
        got.push(n)
        if (n === 5) process.kill(responder.pid, how)
      }
    }
    const caught = await read().then(
      () => undefined,
      (error: MeshError) => error,
    )
    expect(caught?.code).toBe('MESH_REPLY_BROKEN')
    expect(caught?.message).toContain(how === 'SIGKILL' ? 'its responder is gone' : 'has been silent for 1500 ms')
    expect(got.slice(0, 5)).toEqual([1, 2, 3, 4, 5])
  }
})

type Failure = { message: string }
type Outcome = { answered: number; failures: Failure[]; by: Set<number> }

/** Keeps `lanes` requests on their way. */
function asking(t: FaultMesh, lanes: number): { next(count: number): Promise<void>; stop(): Promise<Outcome> } {
  const outcome: Outcome = { answered: 0, failures: [], by: new Set() }
  const stop = new AbortController()
  const lane = async (first: number): Promise<void> => {
    for (let n = first; !stop.signal.aborted; n += lanes) {
      try {
        const answer = await t.mesh.request(sum, [n, 1], { timeoutMs: 3000 })
        expect(answer.sum).toBe(n + 1)
        outcome.by.add(answer.by)
        outcome.answered += 1
      } catch (error) {
        outcome.failures.push(error as Failure)
      }
    }
  }
  const running = Promise.all(Array.from({ length: lanes }, (_, n) => lane(n)))
  return {
    async next(count) {
      const target = outcome.answered + count
      await eventually(() => outcome.answered >= target, { timeoutMs: 60_000 })
    },
    async stop() {
      stop.abort()
      await running
      return outcome
    },
  }
}
