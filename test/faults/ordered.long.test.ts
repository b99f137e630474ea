import { setTimeout as sleep } from 'node:timers/promises'
import { defineService, on, retry, type RunningService, seconds } from '@malha/mesh'
import { eventually, testMesh, type TestMesh } from '@malha/testing'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { partitionOfKey } from './ordered-fixture.ts'
import { steps, taken } from './ordered-jobs.ts'
import { walkThroughKills } from './ordered-kills.ts'

test('10,000 keys through kills and stops of their owners: no step out of order, none lost', async () => {
  const verdict = await walkThroughKills({ keys: 10_000, each: 10, rounds: 8 })
  expect(verdict.inversions).toEqual([])
  // A process that is stopped between its look at the clocks and the first line of the handler makes that one call: the
  // fence tells it.
  expect(verdict.stale.length).toBeLessThanOrEqual(4)
  expect(verdict.lost).toEqual([])
  console.log({ begun: verdict.begun, repeats: verdict.repeats })
})

const CALL_MS = 20

test('three times the rate of one event in flight a partition, for a handler that calls a partner', async () => {
  await using t = await testMesh()
  await t.mesh.provision(defineService('source', { handlers: {}, publishes: [taken] }))
  await publishMany(t, { keys: 2_000, count: 20_000 })
  const single = await rateOfOneInFlight(t)
  let done = 0
  const started = performance.now()
  await using running = await t.mesh.start(
    defineService('worker', {
      handlers: {
        walk: on(taken, { order: 'key', startFrom: 'all', concurrency: 256 }, async () => {
          await sleep(CALL_MS)
          done += 1
        }),
      },
    }),
  )
  await eventually(() => done >= 15_000, { timeoutMs: 120_000 })
  const ordered = (done / (performance.now() - started)) * 1_000
  console.log({ single: Math.round(single), ordered: Math.round(ordered), ratio: ordered / single })
  expect(ordered / single).toBeGreaterThan(3)
  expect(running.faults()).toEqual([])
})

/** A durable a partition with `max_ack_pending: 1`, by the client's own consume. */
async function rateOfOneInFlight(t: TestMesh): Promise<number> {
  const jsm = await jetstreamManager(t.nats)
  const stream = `${t.namespace}_STEPS`
  let done = 0
  const started = performance.now()
  const all = []
  for (let partition = 0; partition < steps.partitions; partition += 1) {
    const name = `one_${partition}`
    const filter_subject = `${t.namespace}.${taken.type}.${partition}.*`
    await jsm.consumers.add(stream, { durable_name: name, ack_policy: 'explicit', max_ack_pending: 1, filter_subject })
    const consumer = await jetstream(t.nats).consumers.get(stream, name)
    const handle = async (message: { ack(): void }): Promise<void> => {
      await sleep(CALL_MS)
      message.ack()
      done += 1
    }
    all.push(await consumer.consume({ max_messages: 100, callback: (message) => void handle(message) }))
  }
  await sleep(6_000)
  const rate = (done / (performance.now() - started)) * 1_000
  for (const one of all) one.stop()
  return rate
}

test('one key that waits with 10,000 events behind it: the others are as quick as without it', async () => {
  await using t = await testMesh()
  const latencies: number[] = []
  await using running: RunningService = await t.mesh.start(
    defineService('worker', {
      handlers: {
        walk: on(
          taken,
          {
            order: 'key',
            startFrom: 'all',
            concurrency: 64,
            retry: retry({ minDelayMs: seconds(5), maxDelayMs: seconds(5) }),
          },
          (step, ctx) => {
            if (step.key === 'held') throw new Error('not yet')
            latencies.push(Date.now() - ctx.source.publishedAt.getTime())
          },
        ),
      },
    }),
  )
  await measured(t, latencies)
  const without = [await measured(t, latencies), await measured(t, latencies)]
  await publishMany(t, { keys: 1, count: 10_000, name: () => 'held' })
  await untilReadPast(t, 'held', latencies)
  const withHeld = [await measured(t, latencies), await measured(t, latencies)]
  console.log({ without, withHeld })
  // The machine's own noise is in both: a run of it is compared with the better of two. A millisecond is what a clock of
  // milliseconds can tell.
  const best = Math.min(...withHeld.map(({ p99 }) => p99))
  expect(best).toBeLessThanOrEqual(2 * Math.max(1, ...without.map(({ p99 }) => p99)))
  expect(running.faults()).toEqual([])
})

/** Resolves when another key of the same partition, published now, was handled. */
async function untilReadPast(t: TestMesh, key: string, latencies: number[]): Promise<void> {
  const neighbour = Array.from({ length: 1_000 }, (_, index) => `n${index}`).find(
    (one) => partitionOfKey(one) === partitionOfKey(key),
  )
  latencies.length = 0
  await t.mesh.publish(taken, { key: neighbour ?? '', n: 0, failures: 0 })
  await eventually(() => latencies.length === 1)
}

/** From stored to begun, ms, of 500 events a second over six seconds. */
async function measured(t: TestMesh, latencies: number[]): Promise<{ p50: number; p99: number }> {
  latencies.length = 0
  const COUNT = 3_000
  const started = performance.now()
  const publishing: Promise<unknown>[] = []
  for (let n = 0; n < COUNT; n += 1) {
    const early = (n * 1_000) / 500 - (performance.now() - started)
    if (early > 1) await sleep(early)
    publishing.push(t.mesh.publish(taken, { key: `k${n % 300}`, n, failures: 0 }))
  }
  await Promise.all(publishing)
  await eventually(() => latencies.length === COUNT)
  const sorted = latencies.toSorted((a, b) => a - b)
  return { p50: sorted[COUNT / 2] ?? 0, p99: sorted[Math.floor(COUNT * 0.99)] ?? 0 }
}

async function publishMany(
  t: TestMesh,
  { keys, count, name = (index) => `k${index}` }: { keys: number; count: number; name?: (index: number) => string },
): Promise<void> {
  for (let from = 0; from < count; from += 1_000)
    await Promise.all(
      Array.from({ length: 1_000 }, (_, index) => {
        const n = from + index
        return t.mesh.publish(taken, { key: name(n % keys), n, failures: 0 })
      }),
    )
}
