import type { RedriveFilter } from '../letters/letter-filter.ts'

/**
 * `running`: a runner sends, or waits for outcomes. `paused`: nothing is sent until somebody resumes it. `cancelled`: nothing
 * more is sent; what was sent is handled. `stopped`: the same, because too many failed again. `done`: every message that was
 * sent has its outcome.
 */
export type RunState = 'running' | 'paused' | 'cancelled' | 'stopped' | 'done'

/** Messages of a snapshot, sent to their handlers again. Kept in the bucket `RUNS` under its id. */
export type Run = RunCommon & (Redrive | Replay)

type RunCommon = {
  readonly v: 1
  readonly id: string
  /** Who began it, and why. */
  readonly who: string
  readonly reason: string | null
  /** The last of its slice, as it was when the run began: none written since is among them. */
  readonly upTo: number
  /** How many messages that were. */
  readonly total: number
  readonly limits: RunLimits
  readonly state: RunState
  /** The runner that has it; another one that takes it over writes its own name here. */
  readonly runner: string
  /** Every message of the snapshot up to this one had its turn. */
  readonly cursor: number
  /** Up to this record of the stream of operations outcomes are counted. */
  readonly followed: number
  readonly counts: RunCounts
  /** Why nothing is sent though it runs: what it reads from is away. Null where it is not. */
  readonly waits: string | null
  /** RFC 3339. */
  readonly beganAt: string
  readonly movedAt: string
}

/** Letters, to the handlers that gave them up. */
type Redrive = {
  readonly kind: 'redrive'
  /** What was asked for. */
  readonly filter: RedriveFilter
  /** The last record about letters that there was: what was dealt with by then is not of it. Absent in runs of earlier releases. */
  readonly asOf?: number
  /** Letters that there was nothing left to send of, the first thousand; of those removed before their turn nobody knows which. */
  readonly gone: readonly number[]
}

/** Events, to one handler. */
type Replay = {
  readonly kind: 'replay'
  readonly service: string
  readonly handler: string
  readonly from: ReplaySlice
  /** New messages are made of them, under ids of their own. */
  readonly asNew: boolean
  /** The handler is a shadow: nothing of what it publishes is stored. */
  readonly shadow: boolean
  /** What a shadow would have published: how many of each type. */
  readonly withheld: Readonly<Record<string, number>>
}

/** Which events, as it was found when the run began. */
export type ReplaySlice = {
  /** As the server names it. */
  readonly stream: string
  /** Which of those that had its name: its creation time, unix seconds. */
  readonly epoch: number
  /** Read from the archive, which has what the stream has forgotten. */
  readonly archive: boolean
  /** The first sequence. */
  readonly seq: number
  /** A type, or the pattern of a handler's topic. */
  readonly type: string
  readonly key: string | null
  /** Stored at or after, before; RFC 3339. */
  readonly since: string | null
  readonly until: string | null
}

export type RunCounts = {
  readonly sent: number
  /** Of those sent: handled; done before, as the handler's inbox or the marker of its outputs says; failed again. */
  readonly ok: number
  readonly already: number
  readonly failed: number
  /** Dealt with by somebody else meanwhile. */
  readonly overtaken: number
  /** Not sent: not open when it was their turn, or sent as often as may be. */
  readonly skipped: number
  /** Not sent: there is nothing left to send. */
  readonly gone: number
}

export const NO_COUNTS: RunCounts = { sent: 0, ok: 0, already: 0, failed: 0, overtaken: 0, skipped: 0, gone: 0 }

export type RunLimits = {
  /** Messages sent a second at most. @default 100 */
  readonly perSecond: number
  /** Messages sent and without an outcome at most. @default what may be sent in a second, 1000 at least and 3000 at most */
  readonly atOnce: number
  /** A letter that was sent as often as this is skipped. @default 10 */
  readonly mostRedrives: number
  /** Stops when so many failed again. @default 100 */
  readonly mostFailures: number
}

/** What is not said of a run's limits. A handler that takes a second is no slower for how many wait for it; a run that is cancelled ends soon. */
export function withDefaults({ atOnce, ...given }: Partial<RunLimits>): RunLimits {
  const limits = { perSecond: 100, mostRedrives: 10, mostFailures: 100, ...given }
  return { ...limits, atOnce: atOnce ?? Math.min(3000, Math.max(1000, limits.perSecond)) }
}

export const isOver = ({ state }: Pick<Run, 'state'>): boolean =>
  state === 'done' || state === 'cancelled' || state === 'stopped'

/** Sent, and without an outcome. */
export const underWay = ({ sent, ok, already, failed, overtaken }: RunCounts): number =>
  Math.max(0, sent - ok - already - failed - overtaken)
