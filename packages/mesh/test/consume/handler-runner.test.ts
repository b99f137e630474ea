import { AsyncLocalStorage } from 'node:async_hooks'
import { headers, type Msg, type NatsConnection } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { HandlerRunner } from '../../src/consume/handler-runner.ts'
import type { RunnerOptions } from '../../src/consume/runner-options.ts'
import { Settler } from '../../src/consume/settler.ts'
import { Solitude } from '../../src/consume/solitude.ts'
import { event, type Handler, on, stream } from '../../src/index.ts'
import type { ConnectionWatch } from '../../src/lifecycle/connection-watch.ts'
import { envelopeHeaders, newEnvelope } from '../../src/message/envelope.ts'
import { silentLogger } from '../../src/observe/logger.ts'
import { meshMetrics, outcomeLabels } from '../../src/observe/mesh-metrics.ts'
import { type Metrics, noMetrics } from '../../src/observe/metrics.ts'
import { names } from '../../src/topology/names.ts'

type Job = { n: number }
const jobs = stream('JOBS', { subjects: ['job.>'] })
const made = event('job.made', { stream: jobs, schema: z.object({ n: z.number() }) })

const hdrs = headers()
const occasion = { id: 'm1', from: 'test', key: undefined, correlationId: undefined, causationId: undefined }
for (const [name, value] of envelopeHeaders(newEnvelope(made, occasion))) hdrs.set(name, value)

type Running = AsyncDisposable & {
  /** Sequences. */
  acked: Set<number>
  handedBack: Set<number>
  deliver: (n: number) => void
  stop: () => Promise<void>
}

/** A handler that runs, without a server: what it acks, and a way to deliver. */
function running(concurrency: number, handle: Handler<Job>, metrics: Metrics = noMetrics): Running {
  const acked = new Set<number>()
  const handedBack = new Set<number>()
  const arrive: ((error: null, msg: Msg) => void)[] = []
  const nc = {
    subscribe(_: string, { callback }: { callback: (error: null, msg: Msg) => void }) {
      arrive.push(callback)
      return { drain: () => Promise.resolve() }
    },
    publish(subject: string, body: Uint8Array | string) {
      if (!subject.startsWith('$JS.ACK.')) return
      const answered = Buffer.from(body).toString() === '+ACK' ? acked : handedBack
      answered.add(Number(subject.split('.')[5]))
    },
    flush: () => Promise.resolve(),
    isClosed: () => false,
    isDraining: () => false,
  } as unknown as NatsConnection
  const connection = { isUp: () => true, listen: () => () => undefined } as unknown as ConnectionWatch
  const labels = { service: 'worker', handler: 'work' }
  const runner = new HandlerRunner({
    nc,
    connection,
    names: names(''),
    log: silentLogger,
    metrics: meshMetrics(metrics),
    settler: new Settler(nc, connection),
    solitude: new Solitude(),
    service: { name: 'worker' },
    handler: 'work',
    labels,
    outcomes: outcomeLabels(labels),
    counts: { done: 0, failed: 0 },
    def: on(made, { concurrency, startFrom: 'all' }, handle),
    stream: 'JOBS',
    durables: ['worker_work'],
    epoch: 1,
    onDoubt: () => undefined,
  } as unknown as RunnerOptions)
  runner.start()
  return {
    acked,
    handedBack,
    stop: () => runner.stop(0),
    deliver(n) {
      const reply = `$JS.ACK.JOBS.worker_work.1.${n}.${n}.1767225600500000000.0`
      arrive[0]!(null, { subject: 'job.made', reply, headers: hdrs, data: Buffer.from(`{"n":${n}}`) } as unknown as Msg)
    },
    [Symbol.asyncDispose]: () => runner.stop(0),
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('a message that ends at once is done when it has arrived, and acked in the same turn', async () => {
  const seen: number[] = []
  await using worker = running(1, ({ n }) => void seen.push(n))
  const { acked, deliver } = worker
  for (const n of [1, 2]) {
    deliver(n)
    expect(seen).toContain(n)
    await turn()
    expect(acked).toContain(n)
  }
})

function stackDepth(): number {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 1000
  const depth = new Error('here').stack!.split('\n').length
  Error.stackTraceLimit = stackTraceLimit
  return depth
}

test('messages that wait for one slot are done one after the other, and none deepens the stack', async () => {
  const most = 100
  const first = Promise.withResolvers<void>()
  const depths: number[] = []
  await using worker = running(1, ({ n }) => {
    if (n === 1) return first.promise
    depths.push(stackDepth())
    return undefined
  })
  const { acked, deliver } = worker
  for (let n = 1; n <= most; n++) deliver(n)
  expect(depths).toEqual([])
  first.resolve()
  while (acked.size < most) await turn()
  expect(depths).toHaveLength(most - 1)
  expect(Math.max(...depths)).toBeLessThan(50)
})

test('acks go out while handlers that keep the process busy still have messages to do', async () => {
  const most = 40
  let done = 0
  await using worker = running(most, () => {
    for (const end = performance.now() + 2; performance.now() < end;);
    done++
  })
  const { acked, deliver } = worker
  for (let n = 1; n <= most; n++) deliver(n)
  expect(done).toBeLessThan(most)
  while (acked.size === 0) await turn()
  expect(done).toBeLessThan(most)
  while (acked.size < most) await turn()
  expect(done).toBe(most)
})

test('what a handler enters is not around the next message', async () => {
  const tenant = new AsyncLocalStorage<string>()
  const seen: unknown[] = []
  const first = Promise.withResolvers<void>()
  await using worker = tenant.run('whoever started it', () =>
    running(2, ({ n }) => {
      seen.push(tenant.getStore())
      tenant.enterWith(`tenant ${n}`)
      return n === 1 ? first.promise : undefined
    }),
  )
  const { acked, deliver } = worker
  for (const n of [1, 2, 3]) deliver(n)
  first.resolve()
  while (acked.size < 3) await turn()
  deliver(4)
  while (acked.size < 4) await turn()
  expect(seen).toEqual(Array.from({ length: 4 }, () => 'whoever started it'))
  expect(tenant.getStore()).toBeUndefined()
})

test('a service that stops while handlers keep the process busy hands back what was not started', async () => {
  const most = 40
  let done = 0
  await using worker = running(most, () => {
    for (const end = performance.now() + 2; performance.now() < end;);
    done++
  })
  const { acked, handedBack, deliver, stop } = worker
  for (let n = 1; n <= most; n++) deliver(n)
  await stop()
  while (acked.size + handedBack.size < most) await turn()
  expect(done).toBe(acked.size)
  expect(done).toBeLessThan(most)
})

test('a handler that stops its own service is done, and nothing is started after it', async () => {
  const seen: number[] = []
  let stopped: Promise<void> | undefined
  await using worker = running(4, ({ n }) => {
    seen.push(n)
    stopped ??= worker.stop()
  })
  for (const n of [1, 2, 3]) worker.deliver(n)
  await stopped
  while (worker.acked.size + worker.handedBack.size < 3) await turn()
  expect(seen).toEqual([1])
  expect([...worker.acked]).toEqual([1])
})

test('what metrics throw is nobody’s to handle, not the client’s', async () => {
  const others = process.listeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection')
  const unhandled = new Promise((resolve) => process.once('unhandledRejection', resolve))
  const broken = new Error('no such label')
  await using worker = running(1, () => undefined, {
    ...noMetrics,
    histogram: () => ({
      observe() {
        throw broken
      },
    }),
  })
  expect(() => worker.deliver(1)).not.toThrow()
  expect(await unhandled).toBe(broken)
  for (const listener of others) process.on('unhandledRejection', listener)
})
