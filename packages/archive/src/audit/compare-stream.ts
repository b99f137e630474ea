import { createHash } from 'node:crypto'
import type { ClickHouseClient } from '@clickhouse/client'
import type { JetStreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import type { Row, StreamEpoch } from '../message/row.ts'
import { BatchSource } from '../receive/batch-source.ts'
import { nextMessage } from '../receive/next-message.ts'
import type { Range } from './ranges.ts'
import { factsOf, type RowFacts } from './table-facts.ts'

/** What the comparison reports as it goes; the messages of the stream in order. */
export type Comparison = {
  /** In the stream, no row. */
  readonly missing: (seq: number) => void
  /** A row that says something else than the message. */
  readonly conflict: (seq: number) => void
  /** A row whose message the stream no longer has. */
  readonly deleted: (seq: number) => void
}

export type ComparedSources = { nats: NatsConnection; jsm: JetStreamManager; client: ClickHouseClient }

const LIMITS = { rows: 5_000, bytes: 8 * 1024 ** 2 }

/** Reads the stream from `range.first` to `range.last` and holds every message against the table. Resolves with how many. */
export async function compareStream(
  sources: ComparedSources,
  target: StreamEpoch,
  { range, found }: { range: Range; found: Comparison },
): Promise<number> {
  let at = range.first - 1
  let compared = 0
  for (let tries = 0; at < range.last; tries += 1) {
    if ((await nextMessage(sources.jsm, target.stream, at)) === null) break
    const source = await BatchSource.open(sources.nats, sources.jsm, {
      target,
      fromSeq: at + 1,
      limits: LIMITS,
      times: { flushMs: 200, paceMs: 0 },
    })
    try {
      while (at < range.last && !source.isCaughtUp) {
        const batch = await source.next(AbortSignal.timeout(STALL_MS))
        if (!batch) break
        const rows = batch.rows.filter((row) => row[2] <= range.last)
        const upTo = Math.min(batch.last, range.last)
        compared += await compareRows(sources.client, target, { rows, first: at + 1, last: upTo, found })
        at = upTo
        tries = 0
      }
    } finally {
      source.close()
    }
    if (source.fault !== undefined && tries >= MAX_TRIES)
      throw new Error(`stream ${target.stream} can not be read beyond ${at}: ${source.fault}`)
    if (source.isCaughtUp) break
  }
  // Nothing comes behind the last message: what the table has there was deleted in the stream.
  if (at < range.last) await compareRows(sources.client, target, { rows: [], first: at + 1, last: range.last, found })
  return compared
}

const STALL_MS = 30_000
const MAX_TRIES = 5

type Slice = Range & { rows: readonly Row[]; found: Comparison }

async function compareRows(client: ClickHouseClient, target: StreamEpoch, slice: Slice): Promise<number> {
  const table = Map.groupBy(await factsOf(client, target, slice), (row) => row.seq)
  for (const row of slice.rows) {
    const stored = table.get(row[2])
    table.delete(row[2])
    if (!stored) {
      slice.found.missing(row[2])
      continue
    }
    const facts = factsOfRow(row)
    if (stored.some((other) => !sameFacts(facts, other))) slice.found.conflict(row[2])
  }
  for (const seq of [...table.keys()].sort((a, b) => a - b)) slice.found.deleted(seq)
  return slice.rows.length
}

function factsOfRow(row: Row): RowFacts {
  const sha256 = createHash('sha256').update(Buffer.from(row[14], 'base64')).digest('hex')
  const [seconds, nanos = ''] = row[12].split('.')
  const ns = `${Date.parse(`${seconds?.replace(' ', 'T')}Z`) / 1000}${nanos}`
  return { seq: row[2], id: row[4], subject: row[3], ns, sha256 }
}

const sameFacts = (a: RowFacts, b: RowFacts): boolean =>
  a.id === b.id && a.subject === b.subject && a.ns === b.ns && a.sha256 === b.sha256
