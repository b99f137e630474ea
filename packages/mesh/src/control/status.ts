import type { NatsConnection, Subscription } from '@nats-io/transport-node'
import type { RateLimit } from '../consume/rate-limit.ts'
import type { BreakerState } from '../failure/breaker.ts'
import type { Logger } from '../observe/logger.ts'
import type { Names } from '../topology/names.ts'
import type { Pause } from './handler-control.ts'

/** How a handler is in one process. Times are RFC 3339 by the server's clock. Format 1; docs/reference/wire.md. */
export type HandlerStatus = {
  readonly handler: string
  /** Type or topic pattern. */
  readonly source: string
  /** Names on the server. */
  readonly stream: string
  readonly durables: readonly string[]
  /** What a batch takes at most; null: it takes messages one by one. */
  readonly batch: number | null
  readonly concurrency: number
  readonly rateLimit: RateLimit | null
  /** As its service declares it, whatever was said since. */
  readonly declared: { readonly concurrency: number; readonly rateLimit: RateLimit | null }
  /** Attempts that ended in this process since its start: well, and not. Absent of a process that does not count. */
  readonly counts?: { readonly done: number; readonly failed: number }
  /** When it gives an attempt up, and how it tries again; null: no end. Absent of a process that does not say. */
  readonly retry?: {
    readonly timeoutMs: number
    readonly attempts: number | null
    readonly forMs: number | null
    readonly maxDelayMs: number
  }
  /** Messages being handled; in hand and not begun; waiting here for their next attempt (of an ordered handler: keys). */
  readonly running: number
  readonly ready: number
  readonly retrying: number
  /** Slots lost to calls that never return. */
  readonly leaked: number
  readonly breaker: {
    readonly state: BreakerState
    /** Since when it is not closed; null while it is. */
    readonly since: string | null
    /** When one message will be tried; null where none is due. */
    readonly probeAt: string | null
  }
  /** The other side asked to be left alone until then. */
  readonly delayedUntil: string | null
  readonly paused: Pause | null
  /** Why what was said of it is not done; null: it is. */
  readonly fault: string | null
  /** Of an ordered handler (`order: 'key'`): how many of its partitions this process has. */
  readonly partitions: number | null
  /** Of an ordered handler: how many keys of these a dead letter holds (`onDeadLetter: 'hold-key'`). Releases from before do not say it. */
  readonly heldKeys?: number | null
  /**
   * Of an ordered handler: those of its partitions here of which so many keys wait, for a retry or behind dead letters, that they read nothing
   * new until one goes on. Releases from before do not say it.
   */
  readonly fullPartitions?: readonly number[] | null
  /** As this process saw it last, at most some seconds ago; of an ordered handler: of its partitions here. */
  readonly seen: {
    readonly pending: number
    readonly ackPending: number
    readonly oldestMs: number
    /** Null where nothing ages out. */
    readonly expiresInMs: number | null
  } | null
}

/** How a process is that runs a service. */
export type InstanceStatus = {
  readonly v: 1
  readonly service: string
  readonly version: string
  /** Name of its connection. */
  readonly instance: string
  /** Tells instances of one name apart. */
  readonly id: string
  readonly at: string
  readonly startedAt: string
  /** Why it is not ready; empty when it is. */
  readonly faults: readonly string[]
  /** What its user may not use, so that it hears late, or never, what is said of its handlers; null: it hears at once. */
  readonly denied: string | null
  /**
   * What the service published here since its start, by type, inside handlers and outside: events that the server has, and that it
   * did not get. Absent of a process that does not count.
   */
  readonly published?: readonly PublishedStatus[]
  readonly handlers: readonly HandlerStatus[]
}

export type PublishedStatus = { readonly type: string; readonly stored: number; readonly failed: number }

export type StatusDeps = { nc: NatsConnection; names: Names; log: Logger }

/** Answers whoever asks how this process is. Nothing is stored. */
export function answerStatus(
  { nc, names, log }: StatusDeps,
  { service, status }: { service: string; status: () => InstanceStatus },
): Subscription {
  const subject = names.status(service)
  return nc.subscribe(subject, {
    callback(refused, msg) {
      if (refused)
        log.warn({ service, subject }, `this user may not use ${subject}, so nobody sees how it is; grant it`)
      // What is thrown into the client ends its connection.
      else
        try {
          msg.respond(JSON.stringify(status()))
        } catch (error) {
          log.warn({ service, err: error }, 'somebody who asked how this process is got no answer')
        }
    },
  })
}
