import { inspect } from 'node:util'
import { context, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import type { Msg } from '@nats-io/transport-node'
import { headers } from '@nats-io/transport-node'
import { expect, test, vi } from 'vitest'
import { z } from 'zod'
import { type Delivery, readDelivery } from '../../src/consume/delivery.ts'
import { noCredit } from '../../src/consume/ordered/stored-delivery.ts'
import { event, type Handler, type HandlerContext, on, stream } from '../../src/index.ts'
import { envelopeHeaders, newEnvelope } from '../../src/message/envelope.ts'
import { silentLogger } from '../../src/observe/logger.ts'
import type { PublisherDeps } from '../../src/publish/publisher.ts'
import type { AttemptDeps } from '../../src/service/attempt.ts'
import { type AttemptOutcome, identify, runAttempt } from '../../src/service/run-attempt.ts'
import { names } from '../../src/topology/names.ts'

type Job = { n: number }
const jobs = stream('JOBS', { subjects: ['job.>'] })
const made = event('job.made', { stream: jobs, schema: z.object({ n: z.number() }) })
const checkedLate = event('job.made', {
  stream: jobs,
  schema: z.object({ n: z.number() }).refine(({ n }) => Promise.resolve(n > 0)),
})

function delivery(payload = '{"n":1}'): Delivery {
  const hdrs = headers()
  const occasion = { id: 'm1', from: 'test', key: undefined, correlationId: 'c1', causationId: undefined }
  for (const [name, value] of envelopeHeaders(newEnvelope(made, occasion))) hdrs.set(name, value)
  hdrs.set('X-Tenant', 'one')
  hdrs.set('traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01')
  const reply = '$JS.ACK.JOBS.worker_work.1.7.7.1767225600500000000.0'
  const msg = { subject: 'job.made', reply, headers: hdrs, data: Buffer.from(payload) } as unknown as Msg
  const read = readDelivery(msg, { via: 'event', epoch: 1, credit: noCredit })
  read.attempts = 1
  return read
}

type Options = { contract?: typeof made; timeoutMs?: number; leakAfterMs?: number; delivery?: Delivery }

/** One attempt at a message, as a runner makes it. */
function attempt(
  handle: Handler<Job>,
  { contract = made, timeoutMs = 60_000, leakAfterMs = 10_000, delivery: given = delivery() }: Options = {},
): AttemptOutcome | Promise<AttemptOutcome> {
  const deps: AttemptDeps = {
    publisher: undefined as unknown as PublisherDeps,
    names: names(''),
    log: silentLogger,
    service: 'worker',
    handler: 'work',
    def: on(contract, { timeoutMs, startFrom: 'all' }, handle),
    guard: (call, given) => call(given),
    isFlowing: () => true,
    stopping: new AbortController().signal,
    leakAfterMs,
  }
  const identity = identify(deps, given)
  if (identity.kind !== 'ours') throw new Error(identity.kind)
  return runAttempt(deps, given, identity.envelope)
}

test('a handler that returns nothing to wait for is done when it returns, without a promise or a timer', () => {
  vi.useFakeTimers()
  const seen: Job[] = []
  expect(attempt((job) => void seen.push(job))).toEqual({ kind: 'done' })
  expect(seen).toEqual([{ n: 1 }])
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

test('a handler that throws at once has failed with what it threw', () => {
  const error = new Error('no')
  const outcome = attempt(() => {
    throw error
  })
  expect(outcome).toEqual({ kind: 'failed', error })
})

test('a payload that does not fit has failed, and the handler is not called', () => {
  const handle = vi.fn<Handler<Job>>()
  expect(attempt(handle, { delivery: delivery('{"n":"1"}') })).toMatchObject({
    kind: 'failed',
    error: { code: 'MESH_SCHEMA_MISMATCH' },
  })
  expect(handle).not.toHaveBeenCalled()
})

test('a schema that takes its time is waited for', async () => {
  const seen: Job[] = []
  const outcome = attempt((job) => void seen.push(job), { contract: checkedLate })
  expect(outcome).toBeInstanceOf(Promise)
  expect(await outcome).toEqual({ kind: 'done' })
  expect(seen).toEqual([{ n: 1 }])
  const refused = attempt(() => undefined, { contract: checkedLate, delivery: delivery('{"n":-1}') })
  expect(await refused).toMatchObject({ kind: 'failed', error: { code: 'MESH_SCHEMA_MISMATCH' } })
})

/** Waited for by `await`, but no promise: as query builders return. */
const thenable = (settle: (resolve: () => void, reject: (error: unknown) => void) => void): Promise<void> =>
  // oxlint-disable-next-line unicorn/no-thenable -- such a thing is what is tested
  ({ then: settle }) as unknown as Promise<void>

test('a thenable of any make is waited for', async () => {
  let isDone = false
  const slow = thenable((resolve) => {
    setTimeout(() => {
      isDone = true
      resolve()
    }, 5)
  })
  expect(await attempt(() => slow)).toEqual({ kind: 'done' })
  expect(isDone).toBe(true)
  const error = new Error('no')
  expect(await attempt(() => thenable((_, reject) => reject(error)))).toEqual({ kind: 'failed', error })
  const broken = attempt(() =>
    thenable(() => {
      throw error
    }),
  )
  expect(await broken).toEqual({ kind: 'failed', error })
})

test('every part of the context can be taken out of it', () => {
  let parts: Pick<HandlerContext, 'id' | 'type' | 'version' | 'correlationId' | 'attempt' | 'source'> | undefined
  const outcome = attempt((_, { id, type, version, correlationId, attempt: nth, source, ...rest }) => {
    parts = { id, type, version, correlationId, attempt: nth, source, ...rest }
  })
  expect(outcome).toEqual({ kind: 'done' })
  expect(parts).toMatchObject({ id: 'm1', type: 'job.made', version: 1, correlationId: 'c1', attempt: 1 })
  expect(parts).toMatchObject({ source: { stream: 'JOBS', epoch: 1, seq: 7, subject: 'job.made' } })
  expect(parts!.source.publishedAt).toEqual(new Date(1_767_225_600_500))
})

test('what is made on demand works when it was taken out of the context', async () => {
  // oxlint-disable-next-line typescript/unbound-method -- whether it may be is what is tested
  const outcome = attempt((_, { publish, log, signal, headers: received }) => {
    expect(received['x-tenant']).toBe('one')
    expect(signal.aborted).toBe(false)
    log.info({}, 'here')
    expect(() => publish(made, { n: 'x' as unknown as number })).toThrow('does not fit its schema')
  })
  expect(await outcome).toEqual({ kind: 'done' })
})

test('a context that is logged shows its message, and nothing of the mesh', () => {
  let shown = ''
  const outcome = attempt((_, ctx) => {
    shown = inspect(ctx, { depth: 9, showHidden: true })
  })
  expect(outcome).toEqual({ kind: 'done' })
  expect(shown).toContain("correlationId: 'c1'")
  expect(shown).not.toContain('leakAfterMs')
})

test('nothing can be published after the handler has returned', () => {
  let late: HandlerContext['publish'] | undefined
  // oxlint-disable-next-line typescript/unbound-method -- whether it may be is what is tested
  const outcome = attempt((_, { publish }) => {
    late = publish
  })
  expect(outcome).toEqual({ kind: 'done' })
  expect(() => late!(made, { n: 1 })).toThrow('after its handler had returned')
})

/** Keeps the process busy, as parsing a large file does. */
function block(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

test('the time of a handler that blocks first counts from its call', async () => {
  const outcome = await attempt(
    async (_, { signal }) => {
      block(160)
      await new Promise((resolve) => setTimeout(resolve, 100))
      signal.throwIfAborted()
    },
    { timeoutMs: 150 },
  )
  expect(outcome).toMatchObject({ kind: 'failed', error: { code: 'MESH_HANDLER_TIMEOUT' } })
})

test('a handler that blocks past its time and then fails by itself keeps its own error', () => {
  const error = new Error('no')
  const outcome = attempt(
    () => {
      block(20)
      throw error
    },
    { timeoutMs: 10 },
  )
  expect(outcome).toEqual({ kind: 'failed', error })
})

test('a signal that is asked for after the time is over has aborted', async () => {
  let ctx: HandlerContext | undefined
  const outcome = await attempt(
    async (_, given) => {
      ctx = given
      await new Promise((resolve) => setTimeout(resolve, 50))
      given.signal.throwIfAborted()
    },
    { timeoutMs: 10 },
  )
  expect(outcome).toMatchObject({ kind: 'failed', error: { code: 'MESH_HANDLER_TIMEOUT' } })
  expect(ctx!.signal.aborted).toBe(true)
})

test('a handler that ignores its signal has leaked', async () => {
  const never = new Promise<void>(() => undefined)
  expect(await attempt(() => never, { timeoutMs: 5, leakAfterMs: 5 })).toEqual({ kind: 'leaked' })
})

test('where nobody records spans but a trace is handed on, the handler is in the trace of its message', async () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  const active = (): string | undefined => trace.getActiveSpan()?.spanContext().traceId
  const seen: unknown[] = []
  const fails = delivery()
  const outcome = attempt(
    async () => {
      seen.push(active())
      await Promise.resolve()
      seen.push(active())
      throw new Error('no')
    },
    { delivery: fails },
  )
  expect(await outcome).toMatchObject({ kind: 'failed' })
  expect(seen).toEqual(['0af7651916cd43dd8448eb211c80319c', '0af7651916cd43dd8448eb211c80319c'])
  expect(fails.previousAttempt).toMatchObject({ spanId: 'b7ad6b7169203331' })
  expect(active()).toBeUndefined()
  context.disable()
  propagation.disable()
})
