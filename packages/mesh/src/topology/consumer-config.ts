import {
  AckPolicy,
  type ConsumerConfig,
  type ConsumerUpdateConfig,
  DeliverPolicy,
  ReplayPolicy,
} from '@nats-io/jetstream'
import { nanos } from '@nats-io/transport-node'
import { mostHeld } from '../consume/waiting-room.ts'
import type { HandlerDef, StartFrom } from '../service/define.ts'
import { PRIORITIES, priorityToken } from '../message/priority.ts'
import type { AnyContract, Topic } from '../message/contract.ts'
import type { Names } from './names.ts'
import { overlap } from './subject-overlap.ts'
import { FORMAT } from './system.ts'

/** Where a durable begins. Fixed when it is made. */
export type Start = Pick<ConsumerConfig, 'deliver_policy'> &
  Partial<Pick<ConsumerConfig, 'opt_start_seq' | 'opt_start_time'>>

/** What a durable should be like, apart from where it begins. */
export type DesiredConsumer = Pick<ConsumerConfig, 'ack_wait' | 'max_deliver'> & {
  readonly max_ack_pending: number
  readonly filter_subjects: string[]
  readonly metadata: Record<string, string>
}

/** Event streams a handler ever read, space separated; on its lane durable. Only ever added to. */
export const STREAMS = 'malha.streams'

/** `key` on the lane durable of a handler that keeps the order of its keys. */
export const ORDER = 'malha.order'

/** `by-key` on the lane durable of an ordered handler that takes messages of runs. */
const RUNS = 'malha.runs'

/** `true` on the lane durable of a shadow. */
export const SHADOW = 'malha.shadow'

type Whose = { readonly service: string; readonly handler: string; readonly def: HandlerDef }

/** A durable of a handler on its event stream, which takes `filters`. */
export function eventConsumer(
  names: Names,
  { service, handler, def, filters }: Whose & { readonly filters: readonly string[] },
): DesiredConsumer {
  const type = def.source.kind === 'topic' ? def.source.pattern : def.source.type
  return {
    ...limits(def),
    filter_subjects: filters.map((subject) => names.subject(subject)),
    metadata: metadata(service, handler, type),
  }
}

/** The durable of a handler on its service's lanes; it remembers its event streams, so that a renamed handler is found. */
export function laneConsumer(names: Names, { service, handler, def }: Whose): DesiredConsumer {
  const type = def.source.kind === 'topic' ? def.source.pattern : def.source.type
  return {
    ...limits(def),
    filter_subjects: [names.laneTarget(service, handler)],
    metadata: {
      ...metadata(service, handler, type),
      [STREAMS]: names.stream(def.source.stream),
      ...(def.order && { [ORDER]: def.order, [RUNS]: 'by-key' }),
      ...(def.shadow && { [SHADOW]: 'true' }),
    },
  }
}

/**
 * Subjects of a contract or topic, without the namespace: of a contract the type itself, and `<type>.<partition>.<key>`; the
 * same of each priority. A keyed contract takes the plain type too, because events from before it had a key are there.
 */
export function filtersOf(source: HandlerDef['source']): string[] {
  if (source.kind !== 'topic') {
    const plain = (source.priorities ? PRIORITIES : (['normal'] as const)).map((of) => source.type + priorityToken(of))
    return plain.flatMap((type) => (source.key ? [type, `${type}.*.*`] : [type]))
  }
  return topicFilters(source)
}

/** Where an event is stored, of every priority, with a key and without: as the server sees it. */
export const eventSubjects = (names: Names, contract: AnyContract): string[] =>
  filtersOf(contract).map((filter) => names.subject(filter))

/** As few as hold all of a pattern: what they take beyond it is of other types, and is passed over (ADR 21). */
function topicFilters({ pattern, stream: { subjects } }: Topic): string[] {
  if (pattern === '>' || pattern === '*') return subjects.length === 1 ? [...subjects] : ['>']
  if (pattern.endsWith('>')) return [pattern]
  const below = pattern.endsWith('*') ? `${pattern.slice(0, -1)}>` : `${pattern}.>`
  if (!subjects.some((subject) => overlap(subject, below))) return [pattern]
  return pattern.endsWith('*') ? [below] : [pattern, below]
}

/**
 * Settings of a durable to be made. `backoff` is never set: it overwrites `ack_wait`, and `nak` ignores it. A single filter
 * goes as such: the client then names it in the subject of its request, so that a user can be given the right to this filter
 * and to no other.
 */
export function consumerToAdd(durable: string, desired: DesiredConsumer, start: Start): Partial<ConsumerConfig> {
  const { filter_subjects: filters, ...rest } = desired
  return {
    ...rest,
    ...(filters.length === 1 ? { filter_subject: filters[0]! } : { filter_subjects: filters }),
    ...start,
    durable_name: durable,
    ack_policy: AckPolicy.Explicit,
    replay_policy: ReplayPolicy.Instant,
    max_waiting: 2048,
  }
}

/** Where a new durable begins: a number means behind this sequence. On a stream that never held anything, `new` could only lose what arrives meanwhile. */
export function startAt(startFrom: StartFrom | number | undefined, lastSeq: number): Start {
  if (typeof startFrom === 'number') return startAtSeq(startFrom + 1)
  if (startFrom instanceof Date)
    return { deliver_policy: DeliverPolicy.StartTime, opt_start_time: startFrom.toISOString() }
  return { deliver_policy: startFrom === 'new' && lastSeq > 0 ? DeliverPolicy.New : DeliverPolicy.All }
}

export function startAtSeq(seq: number): Start {
  return { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: seq }
}

/** The filters of a durable that is there; none: it takes everything. */
export function takenBy({ filter_subjects: many, filter_subject: one }: ConsumerConfig): string[] {
  return many ?? (one === undefined ? [] : [one])
}

export type ConsumerDiff = {
  /** Undefined when nothing differs. */
  readonly changes: Partial<ConsumerUpdateConfig> | undefined
  readonly describe: string
}

/**
 * Compares a durable with how it should be. `max_ack_pending` is only ever raised: instances with different
 * concurrency must not take turns.
 */
export function diffConsumer(desired: DesiredConsumer, existing: ConsumerConfig): ConsumerDiff {
  const changes: Record<string, unknown> = {}
  const say: string[] = []
  const change = (field: string, from: unknown, to: unknown): void => {
    changes[field] = to
    say.push(`${field} ${JSON.stringify(from)} → ${JSON.stringify(to)}`)
  }
  if (existing.ack_wait !== desired.ack_wait) change('ack_wait', existing.ack_wait, desired.ack_wait)
  if (existing.max_deliver !== desired.max_deliver) change('max_deliver', existing.max_deliver, desired.max_deliver)
  const [have = -1, want] = [existing.max_ack_pending, desired.max_ack_pending]
  if (have > 0 && have < want) change('max_ack_pending', have, want)
  if ((existing.backoff?.length ?? 0) > 0) change('backoff', existing.backoff, [])
  const filters = takenBy(existing)
  const filterChanged = filters.toSorted().join(' ') !== desired.filter_subjects.toSorted().join(' ')
  if (filterChanged) change('filter_subjects', filters, desired.filter_subjects)
  const metadata = mergeMetadata(existing.metadata ?? {}, desired.metadata)
  for (const [key, value] of Object.entries(metadata))
    if (existing.metadata?.[key] !== value) say.push(`${key} ${existing.metadata?.[key] ?? 'unset'} → ${value}`)
  if (say.length === 0) return { changes: undefined, describe: '' }
  changes['metadata'] = metadata
  Object.assign(changes, asFilter(desired.filter_subjects))
  return { changes, describe: say.join('; ') }
}

/** Said with every change, and not only when it differs: a durable may have been made with a list of one. */
function asFilter(filters: readonly string[]): { filter_subject?: string; filter_subjects?: string[] } {
  const [only, ...more] = filters
  return more.length === 0 && only !== undefined
    ? { filter_subject: only, filter_subjects: undefined as never }
    : { filter_subject: undefined as never, filter_subjects: [...filters] }
}

function mergeMetadata(have: Record<string, string>, want: Record<string, string>): Record<string, string> {
  const streams = new Set(`${have[STREAMS] ?? ''} ${want[STREAMS] ?? ''}`.split(' ').filter(Boolean))
  return { ...have, ...want, ...(streams.size === 0 ? {} : { [STREAMS]: [...streams].join(' ') }) }
}

/**
 * `max_deliver` is without limit, because a delivery handed back unstarted counts there too; the library counts
 * attempts. Room for 20 instances, each with twice its concurrency in hand and as many waiting as it may hold.
 */
function limits(def: HandlerDef): Pick<DesiredConsumer, 'ack_wait' | 'max_deliver' | 'max_ack_pending'> {
  return {
    ack_wait: nanos(def.ackWaitMs),
    max_deliver: -1,
    max_ack_pending: Math.max(2_000, 20 * (2 * def.concurrency + mostHeld(def.concurrency))),
  }
}

function metadata(service: string, handler: string, type: string): Record<string, string> {
  return { 'malha.service': service, 'malha.handler': handler, 'malha.type': type, 'malha.format': FORMAT }
}
