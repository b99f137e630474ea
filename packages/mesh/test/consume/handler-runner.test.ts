import { headers, type Msg, type NatsConnection } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { HandlerRunner } from '../../src/consume/handler-runner.ts'
import type { RunnerOptions } from '../../src/consume/runner-options.ts'
import { Settler } from '../../src/consume/settler.ts'
import { event, type Handler, on, stream } from '../../src/index.ts'
import type { ConnectionWatch } from '../../src/lifecycle/connection-watch.ts'
import { envelopeHeaders, newEnvelope } from '../../src/message/envelope.ts'
import { silentLogger } from '../../src/observe/logger.ts'
import { meshMetrics, outcomeLabels } from '../../src/observe/mesh-metrics.ts'
import { noMetrics } from '../../src/observe/metrics.ts'
import { names } from '../../src/topology/names.ts'

type Job = { n: number }
const jobs = stream('JOBS', { subjects: ['job.>'] })
const made = event('job.made', { stream: jobs, schema: z.object({ n: z.number() }) })

const hdrs = headers()
const occasion = { id: 'm1', from: 'test', key: undefined, correlationId: undefined, causationId: undefined }
for (const [name, value] of envelopeHeaders(newEnvelope(made, occasion))) hdrs.set(name, value)

type Running = AsyncDisposable & { acked: Set<number>; deliver: (n: number) => void }

/** A handler that runs, without a server: what it acks, and a way to deliver. */
function running(concurrency: number, handle: Handler<Job>): Running {
  const acked = new Set<number>()
  const arrive: ((error: null, msg: Msg) => void)[] = []
  const nc = {
    subscribe(_: string, { callback }: { callback: (error: null, msg: Msg) => void }) {
      arrive.push(callback)
      return { drain: () => Promise.resolve() }
    },
    publish: (subject: string) => void (subject.startsWith('$JS.ACK.') && acked.add(Number(subject.split('.')[5]))),
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
    metrics: meshMetrics(noMetrics),
    settler: new Settler(nc, connection),
    service: { name: 'worker' },
    handler: 'work',
    labels,
    outcomes: outcomeLabels(labels),
    def: on(made, { concurrency, startFrom: 'all' }, handle),
    stream: 'JOBS',
    durables: ['worker_work'],
    epoch: 1,
    onDoubt: () => undefined,
  } as unknown as RunnerOptions)
  runner.start()
  return {
    acked,
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
  deliver(1)
  deliver(2)
  expect(seen).toEqual([1, 2])
  await turn()
  expect([...acked]).toEqual([1, 2])
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
