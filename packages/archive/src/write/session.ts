import { epochOf } from '@malha/mesh'
import type { StreamInfo } from '@nats-io/jetstream'
import { without } from '../audit/ranges.ts'
import { ArchiveError } from '../errors.ts'
import { BatchSource } from '../receive/batch-source.ts'
import type { StreamEpoch } from '../message/row.ts'
import { firstStoredAt } from '../message/rebuilt.ts'
import { nsOfTimestamp } from '../message/times.ts'
import type { Lease } from '../lease/lease.ts'
import type { WriterDeps } from './deps.ts'
import { type Cursor, killLeftInserts, readCursor } from './cursor.ts'
import { gapOf, recordGaps } from './gaps.ts'
import { markersIn, recordMarkers } from './markers.ts'
import { BatchWriter } from './batch-writer.ts'
import type { Batch } from './row-buffer.ts'
import type { Progress } from './progress.ts'
import { type SameTable, watchTable } from './same-table.ts'

/*
 * One session archives one life of one stream from the cursor on, under one lease.
 * S1  The cursor is read after the inserts of every earlier writer have ended, so it is final.
 * S2  A session never mends itself: on any doubt (a fault of the feed, tables gone) it ends, and the next one starts at
 *     the cursor. What was received before is still stored, for its stream may be gone by then.
 * S3  Gaps and markers are written before the rows behind them, so that a crash between both finds them again. For the
 *     same reason the cursor is the last row, never the last marker.
 * S4  A session writes into the table in which it read its cursor, or not at all: another one of that name has another past.
 */

export type SessionSignals = {
  /** Receive nothing more, store what is there, return. */
  readonly finish: AbortSignal
  /** Stop at once. */
  readonly abort: AbortSignal
}

/** Runs until `finish` or `abort`, or rejects with why another session is needed. */
export async function runSession(
  deps: WriterDeps,
  lease: Lease,
  { signals, progress }: { signals: SessionSignals; progress: Progress },
): Promise<void> {
  await deps.ensureSchema()
  const info = await deps.jsm.streams.info(deps.stream)
  const target: StreamEpoch = { stream: deps.stream, epoch: epochOf(info) }
  await killLeftInserts(deps.client, deps.stream) // S1
  const other = new AbortController()
  const sameTable = await watchTable(deps.client, {
    everyMs: deps.options.pollMs,
    onOther: (error) => other.abort(error),
  })
  const within = { ...signals, abort: AbortSignal.any([signals.abort, other.signal]) }
  try {
    await archive(deps, { target, info, lease, signals: within, progress, sameTable })
  } finally {
    sameTable.close()
  }
}

async function archive(deps: WriterDeps, { info, ...pumped }: Pump & { info: StreamInfo }): Promise<void> {
  const { target, lease, signals, progress } = pumped
  const cursor = await readCursor(deps.client, target)
  if (cursor) await assertSameHistory(deps, target, { cursor, lastSeq: info.state.last_seq })
  const position = await recordLostHead(deps, target, {
    cursor: cursor?.seq ?? seqBefore(info),
    firstSeq: info.state.first_seq,
  })
  progress.startedAt(target.epoch, { position, cursor: cursor?.seq })
  lease.assertHeld()
  signals.abort.throwIfAborted()

  const { limits, times } = deps.options
  const source = await BatchSource.open(deps.nats, deps.jsm, { target, fromSeq: position + 1, limits, times })
  const close = (): void => source.close()
  signals.finish.addEventListener('abort', close, { once: true })
  if (signals.finish.aborted) close()
  try {
    await pump(deps, source, pumped)
  } finally {
    source.close()
    signals.finish.removeEventListener('abort', close)
  }
  if (source.fault !== undefined) throw new Error(`the feed ended: ${source.fault}`)
}

// A stream can be told at its creation to count from a later number.
const seqBefore = (info: StreamInfo): number => Math.max(1, info.config.first_seq ?? 1) - 1

type Pump = { target: StreamEpoch; lease: Lease; signals: SessionSignals; progress: Progress; sameTable: SameTable }

async function pump(deps: WriterDeps, source: BatchSource, pumped: Pump): Promise<void> {
  const { target, lease, signals, progress, sameTable } = pumped
  const writer = new BatchWriter({
    client: deps.client,
    target,
    leaseToken: lease.token,
    assertHeld: lease.assertHeld,
    assertSameTable: sameTable.assert,
    signal: signals.abort,
    on: {
      sending: (rows) => progress.sending(rows),
      retry: (attempt, error) => progress.failed(attempt, error),
      stored: (rows) => progress.stored(rows),
      deadLetter: (seq, error) => progress.deadLetter(seq, error),
    },
  })
  for (;;) {
    progress.waiting(() => source.oldestPublishedAt)
    const batch = await source.next(signals.abort)
    if (!batch) break
    const startedAt = performance.now()
    progress.writing(batch)
    if (batch.holes.length + batch.markers.length > 0) await sameTable.assert()
    await recordHoles(deps, { batch, target, signals })
    await recordMarkers(deps.client, target, batch.markers)
    if (batch.rows.length > 0) await writer.store(batch.rows)
    source.inserted()
    progress.reached(batch.last, (performance.now() - startedAt) / 1000)
  }
  signals.abort.throwIfAborted()
}

// S3. A failure here ends the session: the holes are seen again by the next one.
async function recordHoles(
  deps: WriterDeps,
  { batch, target, signals }: { batch: Batch; target: StreamEpoch; signals: SessionSignals },
): Promise<void> {
  if (batch.holes.length === 0) return
  signals.abort.throwIfAborted()
  const info = await deps.jsm.streams.info(deps.stream)
  const gaps = batch.holes.map((hole) => gapOf(target, hole, info.state.first_seq))
  await recordGaps(deps.client, gaps)
  for (const gap of gaps) deps.on.gap(gap)
}

/** Writes a gap if the stream no longer has what comes after the cursor; the position to go on from. */
async function recordLostHead(
  deps: WriterDeps,
  target: StreamEpoch,
  { cursor, firstSeq }: { cursor: number; firstSeq: number },
): Promise<number> {
  if (firstSeq <= cursor + 1) return cursor
  const head = { first: cursor + 1, last: firstSeq - 1 }
  const lost = without(head, await markersIn(deps.client, target, head))
  const gaps = lost.map((range) => gapOf(target, range, firstSeq))
  await recordGaps(deps.client, gaps)
  for (const gap of gaps) deps.on.gap(gap)
  return firstSeq - 1
}

/**
 * After a power loss a stream can come back without its last events, and give their numbers to others. The table has the
 * first ones under these numbers; storing the others would replace them, passing over them would lose them.
 */
async function assertSameHistory(
  deps: WriterDeps,
  target: StreamEpoch,
  { cursor, lastSeq }: { cursor: Cursor; lastSeq: number },
): Promise<void> {
  const message = lastSeq < cursor.seq ? null : await deps.jsm.streams.getMessage(target.stream, { seq: cursor.seq })
  const headers = Object.fromEntries(message?.header.keys().map((name) => [name, message.header.values(name)]) ?? [])
  const storedAt =
    message && (firstStoredAt(headers, { ...target, seq: cursor.seq }) ?? nsOfTimestamp(message.timestamp))
  const same = message ? storedAt === cursor.storedAtNs : lastSeq >= cursor.seq
  if (same) return
  throw new ArchiveError(
    'ARCHIVE_STREAM_BEHIND',
    `stream ${target.stream} is not the one that was archived: the archive has events up to ${cursor.seq}, of which the stream ` +
      `(last sequence ${lastSeq}) has lost at least the last: a power loss, an older backup. Nothing is archived from it until you decide: ` +
      `"malha rebuild" brings them back where nothing has their numbers; or find the last common sequence N ("malha archive audit"), and ` +
      `drop what is behind it in archive.events, markers and dead_letters: ` +
      `ALTER TABLE … DELETE WHERE stream = '${target.stream}' AND epoch = ${target.epoch} AND seq > N`,
  )
}
