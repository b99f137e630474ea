import { type Column, column, type Counts, counts } from './columns.ts'
import type { LostStream } from '../nemeses/nemesis.ts'
import type { HandlerFacts } from './final-state.ts'
import { type Names, names } from './names.ts'

/** Number of what is not there. */
export const NONE = -1

/** A stream, and which life of it; what it held and what the archive has of it, in the order in which it was read. */
export type StreamLife = { stream: string; epoch: number; stored: Entries; archived: Entries }
export type Entries = { seqs: Column; ids: Column; digests: Column }

/** An effect of a handler that nobody knows. */
export type Stranger = { id: string; handler: string }

/**
 * A history and the final state of its run, joined by message and kept as numbers, so that millions fit into memory.
 * A message is the number of its id, a handler its place among `handlers`.
 */
export type Facts = {
  beganAt: number
  handlers: readonly HandlerFacts[]
  /** In the end every dead letter was sent again, to handlers that refuse nothing any more. */
  isMended: boolean
  /** Numbers of the handlers of a type. */
  takers: ReadonlyMap<number, readonly number[]>
  /** What handlers publish. Columns of `outputs`. */
  outputTypes: readonly string[]
  ids: Names
  types: Names
  keys: Names
  /** Streams that their operator deleted, and when each was there again, ms since the run began. */
  lost: (LostStream & { at: number })[]
  /** The stream of a type, by what is stored of it. */
  streams: Map<number, string>
  /** When its publish was first begun, ms since the run began. */
  invokedAt: Column
  /** How often its publish was begun, refused for good, and acknowledged. */
  invoked: Column
  refused: Column
  acknowledged: Column
  /** Numbers among `types` and `keys`, or NONE. */
  type: Column
  key: Column
  /** Position among the key's publishes, or NONE. */
  n: Column
  /** Unix ms before which it must not come, or NONE: as its publisher reckoned, and as the broker was told. */
  due: Column
  storedDue: Column
  /** How often it stands in streams of events, not counting dead letters; where first (of `lives`), and when (Unix ms). */
  stored: Column
  life: Column
  seq: Column
  storedAt: Column
  /** The message whose handling published it, or NONE. */
  cause: Column
  /** Which of `ends` is to come of it, or NONE. */
  end: Column
  /** By what they are called, of each type that a handler `leadsTo` and key: how many there are. */
  ends: Names
  endings: Column
  /** When an inbox first knew it, ms since the run began; and when a handler with an inbox last began with it. */
  handledAt: Column
  begunAt: Column
  /** Effects that came with the data of another message. */
  mixed: { message: number; handler: number; of: number }[]
  /** Whether an operator corrected its dead letter (`CORRECTION`), and how many of its effects came with what it was corrected to. */
  corrections: Column
  corrected: Column
  /** When its first effect of any handler was read, Unix ms. */
  effectAt: Column
  /** By message and handler. */
  deliveries: Counts
  effects: Counts
  letters: Counts
  /** Stored messages of an output type that a message caused. */
  outputs: Counts
  /** By handler: messages in the order of their first effects; empty where order is none. */
  firstEffects: readonly Column[]
  strangers: Stranger[]
  lives: StreamLife[]
}

export function noFacts(beganAt: number, handlers: readonly HandlerFacts[], isMended = false): Facts {
  const outputTypes = [...new Set(handlers.flatMap(({ output }) => (output === undefined ? [] : [output])))]
  const types = names()
  return {
    beganAt,
    handlers,
    isMended,
    takers: Map.groupBy(handlers.keys(), (handler) => types.number(handlers[handler]!.type)),
    outputTypes,
    ids: names(),
    types,
    keys: names(),
    lost: [],
    streams: new Map(),
    invokedAt: column('float', NONE),
    invoked: column('byte'),
    refused: column('byte'),
    acknowledged: column('byte'),
    type: column('int', NONE),
    key: column('int', NONE),
    n: column('int', NONE),
    due: column('float', NONE),
    storedDue: column('float', NONE),
    stored: column('byte'),
    life: column('int', NONE),
    seq: column('float', NONE),
    storedAt: column('float', NONE),
    cause: column('int', NONE),
    end: column('int', NONE),
    ends: names(),
    endings: column('byte'),
    handledAt: column('float', NONE),
    begunAt: column('float', NONE),
    mixed: [],
    corrections: column('byte'),
    corrected: column('byte'),
    effectAt: column('float', NONE),
    deliveries: counts(handlers.length),
    effects: counts(handlers.length),
    letters: counts(handlers.length),
    outputs: counts(Math.max(1, outputTypes.length)),
    firstEffects: handlers.map(() => column('int')),
    strangers: [],
    lives: [],
  }
}

export const entries = (): Entries => ({ seqs: column('float'), ids: column('int'), digests: column('float') })

/** What became of publishing a message, over all tries. */
export type Outcome = 'acknowledged' | 'unknown' | 'refused' | 'never'

/** A try without an end, such as one of a process that was killed, may have been stored. */
export function outcomeOf(facts: Facts, message: number): Outcome {
  if (facts.acknowledged.at(message) > 0) return 'acknowledged'
  const invoked = facts.invoked.at(message)
  if (invoked === 0) return 'never'
  return facts.refused.at(message) >= invoked ? 'refused' : 'unknown'
}

/** The numbers of the handlers that take its type. */
export function handlersOf(facts: Facts, message: number): readonly number[] {
  return facts.takers.get(facts.type.at(message)) ?? []
}

/** Whether somebody published it: outside of handlers, or as the output of a message that is there. */
export function isPublished(facts: Facts, message: number): boolean {
  if (facts.invoked.at(message) > 0) return true
  const cause = facts.cause.at(message)
  if (cause === NONE) return false
  if (facts.stored.at(cause) > 0 || facts.invoked.at(cause) > 0) return true
  // It may have been in a stream that an operator deleted, while what came of it is in another.
  return wasLost(facts, facts.type.at(cause), Number.NEGATIVE_INFINITY)
}

/**
 * Whether an operator's hand may have taken it: its stream was deleted, and its publish began before the stream was there
 * again. Nothing can be said of such a message. When an output was published nobody wrote down: it is excused if it is gone.
 */
export function isExcused(facts: Facts, message: number): boolean {
  const invokedAt = facts.invokedAt.at(message)
  if (invokedAt === NONE && facts.stored.at(message) > 0) return false
  return wasLost(facts, facts.type.at(message), invokedAt)
}

/** Whether the stream of a type was deleted after that time of the run. */
export function wasLost({ lost, streams }: Facts, type: number, since: number): boolean {
  const stream = streams.get(type)
  return lost.some((one) => since < one.at && (stream === undefined || one.stream === stream))
}

/** Whether its handlers must do something about it: it was acknowledged, or a stream has it. */
export function isOwed(facts: Facts, message: number): boolean {
  if (isExcused(facts, message)) return false
  if (facts.stored.at(message) > 0) return true
  // Of what comes later and never came there is a rule of its own.
  return facts.acknowledged.at(message) > 0 && facts.due.at(message) === NONE
}

/** Whether it must end as a dead letter of this handler. */
export function mustFail(facts: Facts, message: number, handler: number): boolean {
  const { rejectEvery } = facts.handlers[handler]!
  const n = facts.n.at(message)
  return rejectEvery !== undefined && n !== NONE && n % rejectEvery === 0
}
