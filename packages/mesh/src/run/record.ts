/**
 * What becomes of the messages of runs, by compare-and-set (docs/adr/0024-a-message-of-a-run-is-claimed.md).
 *
 * C1  Of all copies of a message one is handled: the one whose claim is stored. It may be handled again as long as no outcome is.
 * C2  Its outcome is stored before its delivery is settled; delivered again after that, it is not handled.
 * C3  While an outcome cannot be written nothing but the end of the process gives it up: tried again, the handler would run again.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { NatsConnection } from '@nats-io/transport-node'
import { MeshError } from '../errors.ts'
import { HEADER } from '../message/headers.ts'
import { replayId } from '../message/id.ts'
import type { Logger } from '../observe/logger.ts'
import type { PublishPipeline } from '../publish/pipeline.ts'
import { ERR_CODE, PublishRefused } from '../publish/pub-ack.ts'
import { getStored } from '../read/stored-message.ts'
import type { Names } from '../topology/names.ts'
import type { RunOf } from './run-headers.ts'

/**
 * How a message of a run ended. Of one that is `ok`: `already` where its handler was done with it before, by its inbox or by
 * its outputs' marker; `withheld`, how many of which type a shadow would have published. `code` and `message` of one that failed.
 */
export type Outcome =
  | { kind: 'ok'; already?: 'inbox' | 'marker'; withheld?: Readonly<Record<string, number>> }
  | { kind: 'failed'; code: string; message: string }

/** A record of the stream of operations about one letter, or one message of a replay. Format 1; docs/reference/wire.md. */
export type OperationRecord = { v: 1; at: string } &
  /** `trace`: id of the trace that the message has for itself, where it has one; `as`: `ce-id` of the new message that it is, where it is one. */
  (
    | { kind: 'claimed'; run: string; by: string; trace?: string; as?: string }
    | ({ run: string; claim: number; attempts: number } & Outcome)
    | { kind: 'gone'; run: string }
    | { kind: 'discarded' | 'reopened'; who: string; reason: string }
    // A JSON Patch (RFC 6902) of the letter's own payload.
    | { kind: 'edited'; who: string; reason: string; patch: readonly object[] }
    /** The message is done after all: a call that was given up ended well. */
    | { kind: 'late'; by: string }
  )

export type RecordDeps = { nc: NatsConnection; pipeline: PublishPipeline; names: Names; log: Logger }

const WRITE_MS = 30_000
const AGAIN_MS = 1000
const LONGEST_MESSAGE = 500

/**
 * Whether this copy may be handled. Upholds C1 and C2.
 * @throws MeshError MESH_RECORD_AWAY when nobody says so
 */
export async function claim(deps: RecordDeps, run: RunOf, isFirstDelivery: boolean): Promise<boolean> {
  try {
    // Most are delivered once, and claimed by nobody else: no look is needed before the write.
    let last = isFirstDelivery && run.claim === undefined ? undefined : await lastRecord(deps, run.record)
    if ((last?.seq ?? run.expected) === run.expected) {
      const trace = run.trace?.split('-')[1]
      const as = run.replayOf === undefined ? undefined : replayId(run.run, run.replayOf)
      const said = { ...(trace && { trace }), ...(as && { as }) }
      const claimed = { v: 1, kind: 'claimed', run: run.run, by: run.by, at: now(), ...said } as const
      const seq = await append(deps, run, { record: claimed, expected: run.expected })
      if (seq !== undefined) {
        run.claim = seq
        return true
      }
      last = await lastRecord(deps, run.record)
    }
    const isOurs = last?.record.kind === 'claimed' && (last.seq === run.claim || last.record.by === run.by)
    if (isOurs) run.claim = last!.seq
    else run.isLost = true
    return isOurs
  } catch (cause) {
    throw new MeshError('MESH_RECORD_AWAY', `nobody said whether a message of run ${run.run} may be handled`, { cause })
  }
}

/** Writes down how a message ended; for as long as it takes. Upholds C2 and C3. */
export async function conclude(
  deps: RecordDeps & { stopping: AbortSignal },
  run: RunOf,
  { outcome, attempts }: { outcome: Outcome; attempts: number },
): Promise<void> {
  for (;;) {
    try {
      // Of one that could not even be read nobody asked before.
      if (run.claim === undefined && !(await claim(deps, run, false))) return
      const said =
        outcome.kind === 'failed' ? { ...outcome, message: outcome.message.slice(0, LONGEST_MESSAGE) } : outcome
      const record = { v: 1, run: run.run, claim: run.claim!, attempts, at: now(), ...said } as const
      // Another record in its place is ours, whose answer was lost, or somebody's who wrote it off: it is settled either way.
      await append(deps, run, { record, expected: run.claim! })
      return
    } catch (error) {
      if (deps.stopping.aborted || (error instanceof MeshError && error.code === 'MESH_CLOSED')) throw error
      deps.log.error(
        { run: run.run, err: error },
        'how a message of a run ended could not be written; that is tried again',
      )
      await sleep(AGAIN_MS, undefined, { signal: deps.stopping }).catch(() => undefined)
    }
  }
}

/** When it was claimed, unix ms by the server's clock; undefined where that is not the last that was written about it. */
export async function claimedAt(deps: Pick<RecordDeps, 'nc' | 'names'>, run: RunOf): Promise<number | undefined> {
  const last = await lastRecord(deps, run.record)
  return last?.record.kind === 'claimed' && last.seq === run.claim ? Date.parse(last.time) : undefined
}

/** The last record on a subject, read from the stream's leader. */
export async function lastRecord(
  { nc, names }: Pick<RecordDeps, 'nc' | 'names'>,
  subject: string,
): Promise<{ seq: number; time: string; record: OperationRecord } | undefined> {
  const found = await getStored(nc, names.operations(), { last_by_subj: subject })
  if (!found) return undefined
  return { seq: found.seq, time: found.time, record: JSON.parse(found.payload.toString()) as OperationRecord }
}

/** Its sequence; undefined where another record came first. */
async function append(
  { pipeline }: RecordDeps,
  { record: subject }: RunOf,
  { record, expected }: { record: OperationRecord; expected: number },
): Promise<number | undefined> {
  try {
    const { seq } = await pipeline.publish({
      subject,
      payload: Buffer.from(JSON.stringify(record)),
      headers: [[HEADER.expectedLastSubjectSequence, String(expected)]],
      timeoutMs: WRITE_MS,
    })
    return seq
  } catch (error) {
    if (error instanceof PublishRefused && error.errCode === ERR_CODE.wrongLastSequence) return undefined
    throw error
  }
}

const now = (): string => new Date().toISOString()
