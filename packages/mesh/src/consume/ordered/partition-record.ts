import { MeshError } from '../../errors.ts'
import { isObject, isWhole } from '../../given.ts'

/** What is known of the failed attempts at the first event of a key that waits. */
export type KeptRetry = {
  attempts: number
  failures: number
  /** Unix ms by the clock of the instance that wrote it; 0 before the first failure that counts. */
  firstFailureAt: number
  /** Unix ms by the clock of the instance that wrote it. */
  dueAt: number
  /** The whole wait, ms: another instance's clock may be wrong, so it never waits longer than this. */
  delayMs: number
}

/** A key of which events up to `read` are not settled, from `from` on. */
export type OpenKey = { from: number; token: string; retry?: KeptRetry }

/** A key that nothing of begins until the letter of one of its events is done with; that event is settled. */
export type HeldKey = {
  token: string
  /** The event, and when the stream stored it (unix ns): the two name its letter. */
  behind: { epoch: number; seq: number; storedAt: string }
}

/**
 * How far a partition of a handler is, and who works on it. One value of the bucket, changed by compare-and-set only.
 *
 * An event of the partition with sequence s and key k is settled if s <= `read`, s is not in `running`, no event of k with
 * a lower sequence is, and `open` has no entry for k with from <= s.
 */
export type PartitionRecord = {
  /** Creation time of the event stream, unix seconds. */
  epoch: number
  /** Grows with every takeover. */
  fence: number
  /** The instance; empty when nobody has it. */
  owner: string
  /** Counts the owner's writes, so that it knows one of its own again. */
  writes: number
  read: number
  /** The last event that was seen, and when the stream stored it (unix ns): a stream that lost its end has another there. */
  seen: number
  seenAt: string
  /** First events of keys that are being worked on, ascending. */
  running: readonly number[]
  open: readonly OpenKey[]
  /** Of the stream as it is, so without its epoch here. @default none */
  held?: readonly HeldKey[]
  /** Takeovers in a row from an instance that had not let go, since all up to `doubtful` was settled. @default 0 */
  unclean?: number
  /** The last sequence of the stream at the last of these. */
  doubtful?: number
  /** Events in doubt (doubt.ts), and how often their process ended while they were begun. @default none */
  begun?: readonly (readonly [seq: number, crashes: number])[]
}

type Written = {
  v: 1
  epoch: number
  fence: number
  owner: string
  writes: number
  read: number
  seen: number
  seenAt: string
  running: string
  open: [from: number, token: string, ...retry: number[]][]
  held?: [token: string, seq: number, storedAt: string][]
  unclean?: number
  doubtful?: number
  begun?: readonly (readonly [number, number])[]
}

/** The value of the bucket: JSON; `running` as differences in base 36, since it is written with every commit. */
export function encodeRecord({ running, open, held = [], ...rest }: PartitionRecord): string {
  let last = 0
  const differences = running.map((seq) => {
    const difference = seq - last
    last = seq
    return difference.toString(36)
  })
  return JSON.stringify({
    v: 1,
    ...rest,
    running: differences.join(' '),
    open: open.map(({ from, token, retry }) => [from, token, ...(retry ? numbersOf(retry) : [])] as const),
    ...(held.length > 0 && { held: held.map(({ token, behind }) => [token, behind.seq, behind.storedAt] as const) }),
  } satisfies { [Field in keyof Required<Omit<Written, 'held' | 'unclean' | 'doubtful' | 'begun'>>]: unknown })
}

/** @throws MeshError MESH_TOPOLOGY when a newer release of the library wrote it, or something else did */
export function decodeRecord(text: string): PartitionRecord {
  const { v: _, running, open, held = [], ...rest } = writtenIn(text)
  const { epoch } = rest
  let last = 0
  return {
    ...rest,
    running: running
      .split(' ')
      .filter(Boolean)
      .map((difference) => (last += Number.parseInt(difference, 36))),
    open: open.map(([from, token, ...numbers]) => ({
      from,
      token,
      ...(numbers.length > 0 && { retry: retryOf(numbers) }),
    })),
    ...(held.length > 0 && {
      held: held.map(([token, seq, storedAt]) => ({ token, behind: { epoch, seq, storedAt } })),
    }),
  }
}

function writtenIn(text: string): Written {
  const written = parsed(text)
  if (isObject(written) && isWhole(written['v'], 2))
    throw new MeshError(
      'MESH_TOPOLOGY',
      `a partition's record has version ${written['v']}, written by a newer release of the library; upgrade this service`,
    )
  if (isWritten(written)) return written
  throw new MeshError(
    'MESH_TOPOLOGY',
    `a partition's record was not written by this library: ${text.slice(0, 64)}; put back what the bucket MESH_PARTITIONS had there`,
  )
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isWritten(value: unknown): value is Written {
  if (!isObject(value) || value['v'] !== 1) return false
  const { owner, seenAt, running, open, held = [] } = value
  const areNumbers = (['epoch', 'fence', 'writes', 'read', 'seen'] as const).every((name) => isWhole(value[name], 0))
  const areTexts = typeof owner === 'string' && typeof seenAt === 'string' && typeof running === 'string'
  const isRunning = typeof running === 'string' && /^([0-9a-z]{1,11}( [0-9a-z]{1,11})*)?$/.test(running)
  return areNumbers && areTexts && isDoubt(value) && isRunning && isOpen(open) && isHeld(held)
}

const isDoubt = ({ unclean = 0, doubtful = 0, begun = [] }: Readonly<Record<string, unknown>>): boolean =>
  isWhole(unclean, 0) &&
  isWhole(doubtful, 0) &&
  Array.isArray(begun) &&
  begun.every((one: unknown) => Array.isArray(one) && one.length === 2 && one.every((each) => isWhole(each, 0)))

const isOpen = (open: unknown): boolean =>
  Array.isArray(open) &&
  open.every((one: unknown) => {
    const [from, token, ...numbers] = Array.isArray(one) ? (one as unknown[]) : []
    return isWhole(from, 0) && typeof token === 'string' && numbers.every((number) => Number.isFinite(number))
  })

const isHeld = (held: unknown): boolean =>
  Array.isArray(held) &&
  held.every((one: unknown) => {
    const [token, seq, storedAt] = Array.isArray(one) ? (one as unknown[]) : []
    return typeof token === 'string' && isWhole(seq, 1) && typeof storedAt === 'string' && /^\d{1,20}$/.test(storedAt)
  })

const numbersOf = ({ attempts, failures, firstFailureAt, dueAt, delayMs }: KeptRetry): number[] => [
  attempts,
  failures,
  firstFailureAt,
  dueAt,
  delayMs,
]

const retryOf = ([attempts = 0, failures = 0, firstFailureAt = 0, dueAt = 0, delayMs = 0]: number[]): KeptRetry => ({
  attempts,
  failures,
  firstFailureAt,
  dueAt,
  delayMs,
})
