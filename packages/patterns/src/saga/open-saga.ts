/**
 * A saga at work. The record of a saga is written before what it sends is published:
 *
 * S1  An event moves a saga once. That it did, and what was sent, is in the record by one compare-and-set.
 * S2  An event that comes again is answered with what the record says was sent, under the same ids.
 * S3  An event is acked only after all it led to is stored.
 * S4  Of two events at once one is first; the other is computed anew on what the first made of the saga.
 */
import {
  type AnyContract,
  type HandlerContext,
  type HandlerDef,
  type HandlerOptions,
  type Mesh,
  on,
  untilBack,
} from '@malha/mesh'
import { PatternsError } from '../errors.ts'
import { bucketName } from '../store/bucket-name.ts'
import { again, type Records, records, type Versioned } from '../store/records.ts'
import { advance, type Arrival } from './advance.ts'
import { checkSends } from './check-sends.ts'
import { current, SAGA_FORMAT, type SagaRecord, type Sent } from './record.ts'
import { isExactlyOnce } from './exactly-once.ts'
import type { Occasion, SagaDef, SagaStep } from './saga.ts'
import { allSagas, listStuck, type StuckSaga } from './stuck.ts'

export type OpenSagaOptions = {
  /** Of each of its handlers. @default from the first event (`startFrom: 'all'`), retried until it works (`untilBack`) */
  handler?: Omit<HandlerOptions, 'effects'>
  /**
   * What it sends is stored once, however late a crashed process comes back (`effects: 'once'`). Needs that all it sends
   * belongs to one stream, which keeps it for as long as the saga's events are kept.
   * @default true where that is so; else it is sent under ids that the server knows for its duplicate window
   */
  exactlyOnce?: boolean
  /** Size at which the bucket takes no more, bytes. @default 1 GiB */
  maxBytes?: number
}

/** A saga with its records. */
export interface Saga<State> {
  readonly def: SagaDef<State>
  /** One handler a step, named `<saga>-<step>`; for `defineService`. */
  readonly handlers: Readonly<Record<string, HandlerDef>>
  /** What it sends; for `defineService`. */
  readonly publishes: readonly AnyContract[]
  /** One saga as it stands. @throws PatternsError PATTERNS_NEWER_FORMAT | PATTERNS_STORE_UNAVAILABLE */
  get(id: string): Promise<SagaRecord<State> | undefined>
  /** Sagas that have not moved for `stuckAfterMs`, the longest first. Reads every record once. */
  listStuck(): Promise<StuckSaga<State>[]>
  /** Removes the records of sagas that ended before a time; how many. What comes for one later finds none. */
  forget(options: { endedBefore: Date }): Promise<number>
}

/**
 * Opens a saga: its bucket, and its handlers for a service of one's own.
 * @throws MeshError MESH_TOPOLOGY where the bucket cannot be opened; PatternsError PATTERNS_INVALID_DEFINITION where
 * `exactlyOnce` is asked for and cannot be
 */
export async function openSaga<State>(
  mesh: Mesh,
  def: SagaDef<State>,
  options: OpenSagaOptions = {},
): Promise<Saga<State>> {
  const given: HandlerOptions = {
    startFrom: 'all',
    retry: untilBack,
    ...options.handler,
    ...(isExactlyOnce(def, options.exactlyOnce) ? { effects: 'once' } : {}),
  }
  const bucket = bucketName('SAGA', def.name)
  const kv = await mesh.bucket(bucket, { maxBytes: options.maxBytes ?? 1024 ** 3 })
  const store = records<SagaRecord>(mesh, { kv, what: `saga ${def.name}`, format: SAGA_FORMAT })
  const whole = { mesh, bucket, def }
  return {
    def,
    handlers: handlersOf(def, store, given),
    publishes: [...def.sends.values(), ...(def.timeout ? [def.timeout] : [])],
    async get(id) {
      const found = await store.read(id)
      return found && current(def, found.value)
    },
    listStuck: () => listStuck(whole),
    async forget({ endedBefore }) {
      let forgotten = 0
      for await (const { value, revision } of allSagas(whole))
        if (value.status === 'ended' && Date.parse(value.movedAt) < endedBefore.getTime())
          if (await store.remove(value.id, revision)) forgotten++
      return forgotten
    },
  }
}

function handlersOf<State>(
  def: SagaDef<State>,
  store: Records<SagaRecord>,
  options: HandlerOptions,
): Record<string, HandlerDef> {
  const handlers: Record<string, HandlerDef> = {}
  for (const [name, one] of Object.entries(def.steps)) {
    if (one.kind === 'timed-out') continue
    handlers[`${def.name}-${name}`] = on(one.contract, options, (data, ctx) =>
      handle(def, store, { ctx, name, data: data as unknown, sagaId: sagaIdOf(one, data, ctx) }),
    )
  }
  const byTimeout = new Map<string, string>()
  for (const [name, one] of Object.entries(def.steps)) if (one.kind === 'timed-out') byTimeout.set(one.name, name)
  if (def.timeout && byTimeout.size > 0)
    handlers[`${def.name}-timed-out`] = on(def.timeout, options, async (data, ctx) => {
      const name = byTimeout.get(data.name)
      if (name === undefined)
        ctx.log.info({ saga: def.name, sagaId: data.sagaId, timeout: data.name }, 'a time-out without a step')
      else await handle(def, store, { ctx, name, data, sagaId: data.sagaId })
    })
  return handlers
}

function sagaIdOf<State>(
  one: Exclude<SagaStep<State>, { kind: 'timed-out' }>,
  data: unknown,
  ctx: HandlerContext,
): string {
  let cause: unknown
  try {
    const id = one.idOf ? one.idOf(data as never) : ctx.key
    if (typeof id === 'string' && id !== '') return id
  } catch (error) {
    cause = error
  }
  throw new PatternsError('PATTERNS_INVALID_STEP', `${ctx.type} ${ctx.id} says no saga’s id`, { cause })
}

type Call = { ctx: HandlerContext; name: string; data: unknown; sagaId: string }

/** Upholds S1 to S4. */
async function handle<State>(def: SagaDef<State>, store: Records<SagaRecord>, call: Call): Promise<void> {
  const { ctx, sagaId } = call
  const sends = await again(`saga ${def.name} ${sagaId}`, async () => {
    const found = await store.read(sagaId)
    return move(def, store, { ...call, found })
  })
  for (const one of sends) publish(def, ctx, one)
}

type Move = Call & { found: Versioned<SagaRecord> | undefined }

/** What is to be published; undefined when somebody else moved the saga meanwhile. */
async function move<State>(
  def: SagaDef<State>,
  store: Records<SagaRecord>,
  { ctx, name, data, sagaId, found }: Move,
): Promise<readonly Sent[] | undefined> {
  const { stream, epoch, seq } = ctx.source
  const source = { stream, epoch, seq }
  const arrival: Arrival = { sagaId, name, data, occasion: occasionOf(ctx), source, now: Date.now() }
  const result = advance(def, found && current(def, found.value), arrival)
  if (result.kind === 'pass') {
    ctx.log.info({ saga: def.name, sagaId }, `${ctx.type} changes nothing: ${result.why}`)
    return []
  }
  if (result.kind === 'again') return result.sends
  await checkSends(`saga ${def.name} ${sagaId}, step ${name}`, result.sends, (type) => contractOf(def, type))
  return (await store.write(sagaId, result.record, found?.revision)) ? result.sends : undefined
}

function publish<State>(def: SagaDef<State>, ctx: HandlerContext, { type, data, inMs }: Sent): void {
  const contract = contractOf(def, type)
  if (inMs === undefined) {
    ctx.publish(contract, data)
    return
  }
  // Without a key: an event that comes again must not replace a time-out that was set after it. And not at a time: the
  // clocks of this process, the next and the server may differ.
  ctx.publish(contract, data, { deliverIn: inMs })
}

function contractOf<State>(def: SagaDef<State>, type: string): AnyContract {
  const contract = def.timeout?.type === type ? def.timeout : def.sends.get(type)
  if (contract) return contract
  throw new PatternsError(
    'PATTERNS_NEWER_FORMAT',
    `saga ${def.name} has sent ${type}, which this release does not send; it waits until one runs that does`,
  )
}

function occasionOf(ctx: HandlerContext): Occasion {
  return { id: ctx.id, type: ctx.type, correlationId: ctx.correlationId, at: ctx.source.publishedAt }
}
