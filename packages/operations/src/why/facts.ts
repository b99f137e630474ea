import type { AttemptFailed, KeptRetry } from '@malha/mesh'
import type { LetterState } from '../letters/letter.ts'
import type { RunHop } from './run-records.ts'

/** Where a handler is with an event, by what the server knows of it. */
export type Position =
  /** It began behind it. */
  | { readonly kind: 'before'; readonly since: string }
  /** Its durable has not delivered it; of what comes before it so many are not delivered either, at most. */
  | { readonly kind: 'ahead'; readonly before: number }
  /** Delivered, and not all up to it is settled: it may be in hand, wait for its next attempt, or be done ahead of others. */
  | { readonly kind: 'delivered'; readonly floor: number }
  /** Its durable is past it. */
  | { readonly kind: 'settled' }
  /** Of a handler with order: not read yet. */
  | { readonly kind: 'unread'; readonly read: number; readonly partition: number; readonly keysBehindLetters: number }
  | { readonly kind: 'running' }
  /** The first of its key, which waits for its next attempt. */
  | { readonly kind: 'held'; readonly retry: KeptRetry | undefined }
  /** Behind another of its key. */
  | {
      readonly kind: 'behind'
      readonly seq: number
      readonly id: string | undefined
      readonly retry: KeptRetry | undefined
    }
  /** Its key is held behind a dead letter; the letter's number where it is known. */
  | { readonly kind: 'behind-letter'; readonly seq: number; readonly letter: number | undefined }
  /** It has no durable, though its lane has one. */
  | { readonly kind: 'nowhere' }

/** What is known of the letter of an event. */
export type LetterFact = {
  readonly seq: number
  readonly code: string
  readonly reason: string
  readonly at: string
  readonly state: LetterState
  /** Of the last record about it. */
  readonly changedAt: string | undefined
  readonly run: string | undefined
  readonly who: string | undefined
  readonly why: string | undefined
}

/** What running instances say of a handler, and what operators said. Times are RFC 3339. */
export type LiveFact = {
  /** Undefined: nobody could be asked. */
  readonly instances: number | undefined
  readonly paused: { readonly until: string | null; readonly who: string; readonly reason: string } | undefined
  /** Of one that is not closed. */
  readonly breaker: { readonly since: string; readonly probeAt: string | null } | undefined
  /** The other side asked to be left alone until then. */
  readonly delayedUntil: string | undefined
  /** Of a handler with order: partitions that read nothing new, because so many of their keys wait. */
  readonly fullPartitions: readonly number[]
}

/** A run that sent an event to its handler again, and has no result of it yet. */
export type RunFact = {
  readonly run: string
  readonly kind: RunHop['kind']
  /** When its handler began with it; undefined: it waits on the handler's lane. */
  readonly begunAt: string | undefined
  /** Of a copy that waits for another attempt: when that is due, and how many there were. */
  readonly waiting: { readonly dueAt: string; readonly attempts: number } | undefined
}

/** All that is known of one event and one handler. */
export type HandlerFacts = {
  readonly service: string
  readonly handler: string
  readonly nowMs: number
  /** `center.registered c-17` */
  readonly event: string
  /** As the server names it. */
  readonly stream: string
  readonly seq: number
  readonly isInStream: boolean
  /** Of one that left its stream: the handler's checkpoint is past it, so a letter would be there. */
  readonly isAccounted: boolean
  readonly position: Position
  /** Failed ones that were written down, oldest first. */
  readonly attempts: readonly AttemptFailed[]
  readonly letter: LetterFact | undefined
  /** The letter of a range of events that aged out, this one among them. */
  readonly expired: { readonly letter: number; readonly range: string } | undefined
  /** A copy that waits on the handler's lane. */
  readonly waiting: { readonly dueAt: string; readonly attempts: number } | undefined
  /** A copy that is due stands on the handler's lane. */
  readonly isQueued: boolean
  /** When the server told that it gave it up, and nobody brought it back since. */
  readonly givenUpAt: string | undefined
  /** The run it is in. */
  readonly inRun: RunFact | undefined
  /** What runs did with it; the oldest first. */
  readonly runs: readonly RunHop[]
  /** When it was done, where something says so: a marker, an inbox, an output, a record of a run. */
  readonly doneAt: string | undefined
  /** A pull request waits at the server, or an instance holds a lease. */
  readonly isPulled: boolean
  readonly live: LiveFact
}
