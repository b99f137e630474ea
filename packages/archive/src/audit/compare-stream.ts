import { createHash } from 'node:crypto'
import type { ClickHouseClient } from '@clickhouse/client'
import { deniedSubject } from '@malha/mesh'
import type { JetStreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { type Row, type StreamEpoch, toRow } from '../message/row.ts'
import { reasonOf } from '../errors.ts'
import { backoffMs, pause } from '../pause.ts'
import { readStored, type StoredBatch, type StoredSource } from '../receive/read-stored.ts'
import { isMarker } from '../write/markers.ts'
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

/**
 * Reads the stream from `range.first` to `range.last` and holds every message against the table. Resolves with how many.
 * @throws what the server says, or that it says nothing
 */
export async function compareStream(
  { nats, jsm, client }: ComparedSources,
  target: StreamEpoch,
  { range, isDirect, found }: { range: Range; isDirect: boolean; found: Comparison },
): Promise<number> {
  const source: StoredSource = { nats, jsm, stream: target.stream, isDirect }
  const behind = (at: number): Promise<StoredBatch<Row>> =>
    patiently(
      () => readStored(source, { after: at, upTo: range.last }, (message) => toRow(target, message)),
      `stream ${target.stream} can not be read beyond ${at}`,
    )
  let compared = 0
  let at = range.first - 1
  for (let next = behind(at); at < range.last;) {
    const { read, until } = await next
    if (until < range.last) next = behind(until)
    // It is read while this one is compared; whatever fails there is told when its turn comes.
    next.catch(() => undefined)
    const rows = read.filter(([, , seq, subject]) => seq <= range.last && !isMarker(target.stream, subject))
    const last = Math.min(until, range.last)
    compared += await compareRows(client, target, { rows, first: at + 1, last, found })
    at = last
  }
  return compared
}

const MAX_TRIES = 5

/** Tries again what another leader, or the same one later, may answer. */
async function patiently<T>(ask: () => Promise<T>, what: string): Promise<T> {
  for (let tries = 1; ; tries += 1)
    try {
      return await ask()
    } catch (cause) {
      if (deniedSubject(cause) !== undefined) throw cause
      if (tries >= MAX_TRIES) throw new Error(`${what}: ${reasonOf(cause)}`, { cause })
      await pause(backoffMs(tries, { fromMs: 250, toMs: 5_000 }))
    }
}

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
