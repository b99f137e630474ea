import { PatternsError } from '../errors.ts'
import type { SagaDef } from './saga.ts'

/** Version of the record's format. */
export const SAGA_FORMAT = 1

/** A message a saga sent, as its record keeps it. */
export type Sent = {
  readonly type: string
  readonly data: unknown
  /** How much later it is to arrive, ms, by the server's clock; at once without. */
  readonly inMs?: number
}

/** Where an event stands. `stream` is the server's name, `epoch` says which stream of that name. */
export type Standing = { readonly stream: string; readonly epoch: number; readonly seq: number }

/** An event that was handled, and what was sent then: the same again when the event comes again. */
export type Handled = {
  readonly id: string
  readonly type: string
  readonly sends: readonly Sent[]
  readonly source: Standing
}

/** What was done and can be undone. */
export type Done = { readonly step: string; readonly undo: Sent }

export type Timer = { readonly arm: number; readonly dueAt: string }

/** One saga, as it is stored. */
export type SagaRecord<State = unknown> = {
  /** Version of this format. */
  readonly v: number
  readonly saga: string
  readonly id: string
  /** Version of `state`. */
  readonly version: number
  readonly status: 'running' | 'compensating' | 'ended'
  /** How it ended, or how it will end when all is undone. */
  readonly outcome?: string
  /** It compensates, or has: what is done late is undone as well. */
  readonly turnedBack?: true
  readonly state: State
  /** In the order in which it was done. */
  readonly done: readonly Done[]
  /** The step whose undo was sent and is not confirmed. */
  readonly undoing?: string
  readonly timers: Readonly<Record<string, Timer>>
  /** Time-outs set so far: an older one that arrives means nothing. */
  readonly armed: number
  /** The latest last. */
  readonly handled: readonly Handled[]
  /** The furthest of those that were dropped from `handled`, one a stream: what stands before it may have been handled. */
  readonly forgotten?: readonly Standing[]
  readonly beganAt: string
  /** When an event last moved it. */
  readonly movedAt: string
  readonly lastEvent: { readonly id: string; readonly type: string; readonly at: string }
}

/** What is remembered of handled events; a saga sees tens. */
export const KEPT_HANDLED = 500

/** What a record remembers with one event more. */
export function remembered<State>(
  { handled, forgotten = [] }: SagaRecord<State>,
  one: Handled,
): Pick<SagaRecord<State>, 'handled' | 'forgotten'> {
  const all = [...handled, one]
  const furthest = new Map(forgotten.map((source) => [placeOf(source), source]))
  for (const { source } of all.slice(0, -KEPT_HANDLED))
    if ((furthest.get(placeOf(source))?.seq ?? 0) < source.seq) furthest.set(placeOf(source), source)
  return {
    handled: all.slice(-KEPT_HANDLED),
    ...(furthest.size > 0 ? { forgotten: [...furthest.values()] } : {}),
  }
}

/** Whether an event that is not among those remembered may have been handled before them. */
export function isForgotten<State>({ forgotten = [] }: SagaRecord<State>, source: Standing): boolean {
  return forgotten.some((one) => placeOf(one) === placeOf(source) && source.seq <= one.seq)
}

const placeOf = ({ stream, epoch }: Standing): string => `${stream} ${epoch}`

/**
 * The record with its state at the version of this release.
 * @throws PatternsError PATTERNS_NEWER_FORMAT: a newer release wrote it
 */
export function current<State>(def: SagaDef<State>, stored: SagaRecord): SagaRecord<State> {
  if (stored.version === def.version) return stored as SagaRecord<State>
  if (stored.version > def.version || def.upcast === undefined)
    throw new PatternsError(
      'PATTERNS_NEWER_FORMAT',
      `saga ${def.name} ${stored.id}: its state has version ${stored.version}, this release knows ${def.version}; it waits until a newer release runs`,
    )
  return { ...stored, version: def.version, state: def.upcast(stored.state, stored.version) }
}

/** Since when it has not moved though it should have, unix ms: a saga that waits for a time-out is not late before that. */
export function waitsSince({ movedAt, timers, status }: SagaRecord): number {
  if (status === 'ended') return Infinity
  return Math.max(Date.parse(movedAt), ...Object.values(timers).map(({ dueAt }) => Date.parse(dueAt)))
}
