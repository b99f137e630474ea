import type { KV } from '@nats-io/kv'
import type { LetterFilter } from '../letters/letter-filter.ts'

/**
 * `running`: a runner sends, or waits for outcomes. `paused`: nothing is sent until somebody resumes it. `cancelled`: nothing
 * more is sent; what was sent is handled. `stopped`: the same, because too many failed again. `done`: every message that was
 * sent has its outcome.
 */
export type RunState = 'running' | 'paused' | 'cancelled' | 'stopped' | 'done'

/** A redrive: letters of a snapshot, sent to their handlers again. Kept in the bucket `RUNS` under its id. */
export type Run = {
  readonly v: 1
  readonly id: string
  readonly kind: 'redrive'
  /** Who began it, and why. */
  readonly who: string
  readonly reason: string | null
  /** What was asked for; letters up to `upTo`, so that none written since is among them. */
  readonly filter: Omit<LetterFilter, 'state'>
  readonly upTo: number
  /** How many letters that were. */
  readonly total: number
  readonly limits: RunLimits
  readonly state: RunState
  /** The runner that has it; another one that takes it over writes its own name here. */
  readonly runner: string
  /** Every letter of the snapshot up to this one had its turn. */
  readonly cursor: number
  /** Up to this record of the stream of operations outcomes are counted. */
  readonly followed: number
  readonly counts: RunCounts
  /** Letters that there was nothing left to send of. */
  readonly gone: readonly number[]
  /** RFC 3339. */
  readonly beganAt: string
  readonly movedAt: string
}

export type RunCounts = {
  readonly sent: number
  /** Of those sent: handled; failed again; dealt with by somebody else meanwhile. */
  readonly ok: number
  readonly failed: number
  readonly overtaken: number
  /** Not sent: not open when it was their turn, or sent as often as may be. */
  readonly skipped: number
  /** Not sent: there is nothing left to send. */
  readonly gone: number
}

export type RunLimits = {
  /** Messages sent a second at most. @default 100 */
  readonly perSecond: number
  /** Messages sent and without an outcome at most. @default 1000 */
  readonly atOnce: number
  /** A letter that was sent as often as this is skipped. @default 10 */
  readonly mostRedrives: number
  /** Stops when so many failed again. @default 100 */
  readonly mostFailures: number
}

export const DEFAULT_LIMITS: RunLimits = { perSecond: 100, atOnce: 1000, mostRedrives: 10, mostFailures: 100 }

/** A run, and the revision that the next write expects. */
export type StoredRun = { run: Run; revision: number }

export async function readRun(bucket: KV, id: string): Promise<StoredRun | undefined> {
  const entry = await bucket.get(id)
  return entry && entry.length > 0 ? { run: entry.json<Run>(), revision: entry.revision } : undefined
}

/** Undefined where somebody wrote it meanwhile. */
export async function writeRun(bucket: KV, run: Run, revision: number): Promise<StoredRun | undefined> {
  const moved = { ...run, movedAt: new Date().toISOString() }
  try {
    return { run: moved, revision: await bucket.update(run.id, JSON.stringify(moved), revision) }
  } catch (error) {
    if ((error as { code?: unknown }).code === WRONG_REVISION) return undefined
    throw error
  }
}

/** `err_code` of JetStream: the last revision is not the expected one. */
const WRONG_REVISION = 10_071

export const isOver = ({ state }: Pick<Run, 'state'>): boolean =>
  state === 'done' || state === 'cancelled' || state === 'stopped'
