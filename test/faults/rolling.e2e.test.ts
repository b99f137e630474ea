import { eventually } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import type { FaultMesh } from './fault-mesh.ts'
import { deadLetters, partner, settled, storedIds, type Worker, workerMesh } from './fixture.ts'
import { asked, closed, finished } from './jobs.ts'

test('20 rolling restarts under load: no dead letter, nothing stranded, each job done', async () => {
  await using office = await partner((_, response) => void setTimeout(() => response.end(), 10))
  await using t = await workerMesh({ partner: office })
  await using pool = new AsyncDisposableStack()
  const workers = [pool.use(await t.startWorker()), pool.use(await t.startWorker())]
  const load = publishing(t, 50)
  for (let restart = 0; restart < 20; restart += 1) {
    const leaving = workers.shift() as Worker
    expect(await leaving.drain()).toBe(0)
    workers.push(pool.use(await t.startWorker()))
  }
  const count = await load.stop()
  for (const handler of ['work', 'close']) await settled(t, handler)
  expect(await deadLetters(t)).toBe(0)
  const stored = await storedIds(t)
  for (const { type } of [asked, finished, closed]) {
    const ids = stored.get(type)
    expect(ids?.size).toBe(count)
    expect([...(ids?.values() ?? [])].every((times) => times === 1)).toBe(true)
  }
  expect([...office.calls.values()].filter((times) => times !== 1)).toEqual([])
  await expectNothingStranded(t)
})

test('10 SIGTERMs at 500 messages a second: what was finished is not delivered again', async () => {
  await using office = await partner()
  await using t = await workerMesh({ partner: office })
  await using pool = new AsyncDisposableStack()
  let worker = pool.use(await t.startWorker())
  const load = publishing(t, 700)
  for (let round = 0; round < 10; round += 1) {
    await load.next(700)
    // The successor is there first, so that what the leaving one loses would be done again at once.
    const successor = pool.use(await t.startWorker())
    expect(await worker.drain()).toBe(0)
    worker = successor
  }
  const count = await load.stop()
  for (const handler of ['work', 'close']) expect((await settled(t, handler)).num_redelivered).toBe(0)
  expect(load.rate()).toBeGreaterThan(500)
  expect(office.calls.size).toBe(count)
  expect([...office.calls].filter(([, times]) => times !== 1)).toEqual([])
  expect(await deadLetters(t)).toBe(0)
  await expectNothingStranded(t)
})

type Load = {
  /** Resolves when `count` more are stored. */
  next(count: number): Promise<void>
  /** Resolves with how many were stored in all. */
  stop(): Promise<number>
  /** Stored a second. */
  rate(): number
}

/** Publishes jobs at `perSecond`, a slice every 20 ms. */
function publishing(t: FaultMesh, perSecond: number): Load {
  const started = performance.now()
  const failures: unknown[] = []
  let sent = 0
  let stored = 0
  let lastedMs = 0
  const pending = new Set<Promise<void>>()
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - started) / 1_000) * perSecond)
    for (; sent < due; sent += 1) {
      const n = sent
      const one = t.mesh.publish(asked, { jobId: `j${n}`, n }, { id: `j${n}` }).then(
        () => void (stored += 1),
        (error: unknown) => void failures.push(error),
      )
      pending.add(one)
      void one.finally(() => pending.delete(one))
    }
  }, 20)
  return {
    async next(count) {
      const target = stored + count
      await eventually(() => stored >= target || failures.length > 0, { timeoutMs: 60_000 })
    },
    async stop() {
      clearInterval(timer)
      await Promise.all(pending)
      lastedMs = performance.now() - started
      expect(failures).toEqual([])
      return stored
    },
    rate: () => stored / (lastedMs / 1_000),
  }
}

/** The ack floors are at the last message each durable takes, which for `close` is the last job finished. */
async function expectNothingStranded(t: FaultMesh): Promise<void> {
  const jsm = await jetstreamManager(t.nats)
  for (const [handler, type] of [
    ['work', asked.type],
    ['close', finished.type],
  ] as const) {
    const info = await jsm.consumers.info('JOBS', `worker_${handler}_keyed`)
    const last = await jsm.streams.getMessage('JOBS', { last_by_subj: `${type}.>` })
    expect(info.ack_floor.stream_seq).toBeGreaterThanOrEqual(last?.seq ?? Infinity)
  }
  const lanes = await jsm.streams.info('LANES_WORKER')
  expect(lanes.state.messages).toBe(0)
}
