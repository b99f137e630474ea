import {
  command,
  defineService,
  event,
  keyToken,
  MeshError,
  meshOptions,
  on,
  onBatch,
  prepareEvent,
  publication,
  reply,
  request,
  responseError,
  retry,
  stream,
  topic,
} from '@malha/mesh'
import { aggregate, PatternsError, projection, saga, undone } from '@malha/patterns'
import { resolveOptions } from '../../../packages/archive/src/options.ts'
import { readRecurrence } from '../../../packages/mesh/src/delay/recurrence.ts'
import { resolveMeshOptions } from '../../../packages/mesh/src/lifecycle/options.ts'
import { outgoing } from '../../../packages/mesh/src/publish/outgoing.ts'
import { names } from '../../../packages/mesh/src/topology/names.ts'
import { resolveRelayOptions } from '../../../packages/outbox-postgres/src/relay/options.ts'
import { resolveTelemetry } from '../../../packages/telemetry/src/options.ts'
import { Input } from '../engine/input.ts'
import { CaseFailed, type Target } from '../engine/target.ts'
import {
  anything,
  handle,
  HANDLER,
  jobs,
  key,
  late,
  made,
  MESH,
  NUMBERS,
  PUBLISH,
  quote,
  RELAY,
  STEPS,
  undo,
  VARIABLES,
} from './good-options.ts'
import { junk, perhaps, spoiled } from './junk.ts'

/** What is given to a function of the library works, or is refused by the library's own error. */
export const options: Target = {
  name: 'options',
  async run(bytes) {
    const input = new Input(bytes)
    const call = input.pick(CALLS)
    try {
      await call(input)
    } catch (error) {
      if (error instanceof MeshError || error instanceof PatternsError || isOwn(error)) return
      throw error instanceof CaseFailed
        ? error
        : new CaseFailed(`refused by ${String(error)} ${placeOf(error)}`, [error])
    }
  },
  seeds: Array.from({ length: 24 }, (_, index) => Uint8Array.of(index)),
}

/** The errors of packages that have one code for all. */
const isOwn = (error: unknown): boolean =>
  error instanceof Error && /^(ARCHIVE|OUTBOX|TELEMETRY)_INVALID_OPTIONS/.test(error.message)

const placeOf = (error: unknown): string =>
  error instanceof Error ? (/\n\s+at .*?([\w-]+\.ts:\d+)/.exec(error.stack ?? '')?.[1] ?? '') : ''

type Call = (input: Input) => unknown

const CALLS: [Call, ...Call[]] = [
  (input) =>
    stream(
      perhaps(input, 'JOBS'),
      spoiled(input, {
        subjects: ['job.>'],
        maxAgeMs: 5000,
        maxBytes: 1e6,
        duplicateWindowMs: 200,
        partitions: 4,
        replicas: 1,
        owner: 'o',
        revision: 2,
      }),
    ),
  (input) =>
    event(
      perhaps(input, 'job.made'),
      spoiled(input, {
        stream: perhaps(input, jobs),
        schema: anything,
        key,
        version: 2,
        upcast: (data: unknown) => data,
        codec: made.codec,
      }),
    ),
  (input) =>
    command(
      perhaps(input, 'job.do'),
      spoiled(input, { stream: perhaps(input, jobs), schema: anything, key, priorities: true }),
    ),
  (input) => topic(perhaps(input, jobs), perhaps(input, 'job.*')),
  (input) =>
    request(
      perhaps(input, 'price.quote'),
      spoiled(input, {
        schema: anything,
        reply: anything,
        errors: spoiled(input, { 'a.b': anything }),
        streaming: false,
        idempotent: true,
        version: 1,
      }),
    ),
  (input) => service(input, 'h', on(made, spoiled(input, HANDLER), perhaps(input, handle))),
  (input) =>
    service(
      input,
      'h',
      on(perhaps(input, topic(jobs, 'job.>')), spoiled(input, { startFrom: 'all' as const, concurrency: 2 }), handle),
    ),
  (input) =>
    service(
      input,
      input.text(10),
      on(perhaps(input, made), spoiled(input, { order: 'key' as const, ackWaitMs: 4000 }), handle),
    ),
  (input) =>
    service(
      input,
      'h',
      onBatch(
        perhaps(input, made),
        spoiled(input, { size: 10, maxAgeMs: 50, concurrency: 20, order: 'key' as const, timeoutMs: 1000 }),
        perhaps(input, handle),
      ),
    ),
  (input) =>
    defineService(
      perhaps(input, 'svc'),
      spoiled(input, {
        handlers: {},
        replies: {
          q: perhaps(
            input,
            reply(perhaps(input, quote), spoiled(input, { concurrency: 1, waiting: 1, timeoutMs: 10 }), handle),
          ),
        },
      }),
    ),
  (input) =>
    defineService(
      perhaps(input, 'svc'),
      spoiled(input, {
        handlers: spoiled(input, { h: on(perhaps(input, made), handle) }),
        replies: {},
        publishes: [perhaps(input, made)],
        retired: ['x'],
        version: '1.0.0',
      }),
    ),
  (input) => resolveMeshOptions(spoiled(input, MESH)),
  (input) => meshOptions(Object.fromEntries(input.list(5, () => [input.pick([...VARIABLES]), input.text(40)]))),
  (input) =>
    prepareEvent(perhaps(input, made), perhaps(input, { key: 'k' }), spoiled(input, { from: 'me', ...PUBLISH })),
  (input) =>
    outgoing(
      { names: names(''), from: 'me' },
      {
        contract: perhaps(input, undo),
        data: perhaps(input, { key: 'k' }),
        options: spoiled(input, {
          ...PUBLISH,
          deliverIn: 5,
          delayKey: 'k',
          timeoutMs: 10,
          expect: spoiled(input, { lastSeq: 3, subjects: 'job.>' }),
        }),
      },
    ),
  (input) =>
    outgoing(
      { names: names(''), from: 'me' },
      {
        contract: made,
        data: perhaps(input, { key: 'k' }),
        options: spoiled(input, { deliverAt: new Date(7), once: true }),
      },
    ),
  (input) =>
    readRecurrence('job.made', spoiled(input, { name: 'n', cron: '* * * * *', everyMs: 1000, timeZone: 'UTC' })),
  (input) => readRecurrence('job.made', spoiled(input, { name: 'n', cron: input.text(30) })),
  (input) => keyToken(junk(input) as string),
  (input) =>
    saga(
      perhaps(input, 'order'),
      spoiled(input, {
        steps: spoiled(input, STEPS),
        sends: [perhaps(input, undo)],
        timeout: late,
        stuckAfterMs: 5000,
        version: 2,
        upcast: () => 1,
      }),
    ),
  (input) =>
    aggregate(
      perhaps(input, 'account'),
      spoiled(input, {
        events: spoiled(input, { made }),
        initial: () => 1,
        decide: () => [],
        evolve: () => 1,
        version: 1,
      }),
    ),
  (input) =>
    projection(
      perhaps(input, 'jobs'),
      spoiled(input, {
        version: 1,
        events: spoiled(input, { made }),
        key,
        project: () => 1,
        upcast: () => 1,
        gaps: 'accept' as const,
      }),
    ),
  (input) => resolveOptions(spoiled(input, NUMBERS)),
  (input) => resolveRelayOptions(spoiled(input, RELAY), NUMBERS.log),
  (input) => resolveTelemetry({ env: {}, ...spoiled(input, { service: 'svc', version: '1', x: 1, flushMs: 1 }) }),
  (input) =>
    responseError({ status: input.integer(), headers: { 'retry-after': input.text(20) }, url: input.text(20) }),
  (input) => publication(made, { key: 'k' }, spoiled(input, PUBLISH)),
]

function service(input: Input, name: string, handler: ReturnType<typeof on>): unknown {
  const again = retry(spoiled(input, { attempts: 3, forMs: 10, minDelayMs: 1, maxDelayMs: 2, factor: 2 }))
  const handlers = { [name]: handler, other: on(made, { retry: again }, handle), undone: undoneStep(input) }
  return defineService('svc', { handlers })
}

/** A handler that is the declaration of something else. */
const undoneStep = (input: Input): ReturnType<typeof on> =>
  input.byte() === 254 ? (undone(made, 'x') as never) : on(undo, handle)
