/** Which events a replay takes: what is asked for, checked against the handler and the stream. */
import { covers, keyToken, type Mesh, partitionOf } from '@malha/mesh'
import { OperationsError } from '../errors.ts'
import type { FoundHandler } from '../handlers/found-handler.ts'
import { directBatch } from '../read/direct-batch.ts'
import { type StreamNow, streamNow } from '../read/read-on.ts'
import type { ReplaySlice } from './run.ts'

/** Which events. What is given must all hold; nothing given: all that the handler takes. */
export type ReplayFrom = {
  /** Without the namespace. @default the one that the handler reads */
  stream?: string | undefined
  /** From the archive, which has what the stream has forgotten, instead of the stream. @default false */
  archive?: boolean | undefined
  /** Of a stream that was made anew, the one before: when that was made, unix seconds. From the archive only. @default that of now */
  epoch?: number | undefined
  /** Both inclusive. */
  seqs?: { from?: number | undefined; to?: number | undefined } | undefined
  /** Stored at or after `from`, before `to`; RFC 3339. */
  times?: { from?: string | undefined; to?: string | undefined } | undefined
  /** One of those that the handler takes. @default all of them */
  type?: string | undefined
  key?: string | undefined
}

/** A slice, its end as of now, and the stream it is of; undefined where that is gone, which only the archive can replay then. */
export type FoundSlice = { slice: ReplaySlice; upTo: number; now: StreamNow | undefined }

/** @throws OperationsError OPERATIONS_INVALID_OPTIONS | OPERATIONS_HANDLER_UNFIT */
export async function findSlice(mesh: Mesh, handler: FoundHandler, from: ReplayFrom): Promise<FoundSlice> {
  const { seqs = {}, times = {}, key, archive = false } = from
  const stream = streamOf(mesh, handler, from)
  const faults = [...numberFaults(from), ...timeFaults(times), ...typeFaults(handler, from.type)]
  if (faults.length > 0) throw new OperationsError('OPERATIONS_INVALID_OPTIONS', faults.join('; '))
  const now = await streamNow(mesh, stream)
  const epoch = from.epoch ?? now?.epoch
  if (epoch === undefined || (!archive && !now))
    throw new OperationsError(
      'OPERATIONS_INVALID_OPTIONS',
      `there is no stream ${stream} now; from the archive it can be replayed with the epoch of the one there was`,
    )
  const slice: ReplaySlice = {
    stream,
    epoch,
    archive,
    seq: Math.max(1, seqs.from ?? 1),
    type: from.type ?? handler.type,
    key: key ?? null,
    since: times.from ?? null,
    until: times.to ?? null,
  }
  if (archive || !now) return { slice, upTo: seqs.to ?? Number.MAX_SAFE_INTEGER, now }
  return { ...(await withinTimes(mesh, now, slice, seqs.to)), now }
}

function streamOf(mesh: Mesh, { service, handler, streams }: FoundHandler, { stream }: ReplayFrom): string {
  const name = stream === undefined ? undefined : mesh.names.stream(stream)
  if (name !== undefined && streams.includes(name)) return name
  if (name === undefined && streams.length === 1) return streams[0]!
  const what = name === undefined ? `reads ${streams.length} streams, so say which` : `does not read ${name}`
  throw new OperationsError(
    'OPERATIONS_HANDLER_UNFIT',
    `handler ${handler} of ${service} ${what}: ${streams.join(', ') || 'none is known'}`,
  )
}

function numberFaults({ seqs = {}, epoch, archive = false }: ReplayFrom): string[] {
  const isFit = (value: number | undefined): boolean =>
    value === undefined || (Number.isSafeInteger(value) && value >= 1)
  const given = { 'seqs.from': seqs.from, 'seqs.to': seqs.to, epoch }
  const faults = Object.entries(given).flatMap(([name, value]) =>
    isFit(value) ? [] : [`${name} is ${value}; a whole number from 1 on`],
  )
  if (seqs.from !== undefined && seqs.to !== undefined && seqs.to < seqs.from)
    faults.push('seqs.to is before seqs.from')
  if (epoch !== undefined && !archive) faults.push('epoch names a stream there was, which only the archive has')
  return faults
}

function timeFaults(times: NonNullable<ReplayFrom['times']>): string[] {
  return Object.entries(times).flatMap(([name, value]) =>
    value === undefined || !Number.isNaN(Date.parse(value)) ? [] : [`times.${name} is no time; 2026-11-21T10:00:00Z`],
  )
}

function typeFaults({ service, handler, type: taken }: FoundHandler, type: string | undefined): string[] {
  if (taken === '') return [`the lane of ${handler} of ${service} does not say what it takes; start the service again`]
  if (type === undefined || type === taken) return []
  const isType = /^[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(type)
  return isType && covers(taken, type) ? [] : [`handler ${handler} of ${service} takes ${taken}, not ${type}`]
}

/** The part of a stream that was stored in a time: its times only grow, but for a server's clock that was set. */
async function withinTimes(
  mesh: Mesh,
  { name, info }: StreamNow,
  slice: ReplaySlice,
  to: number | undefined,
): Promise<{ slice: ReplaySlice; upTo: number }> {
  const { last_seq: lastSeq, first_seq: firstSeq } = info.state
  const firstFrom = async (time: string): Promise<number> => {
    const at = new Date(time).toISOString()
    const [first] = await directBatch(mesh, name, { start_time: at, batch: 1, next_by_subj: '>' })
    return first?.seq ?? lastSeq + 1
  }
  const from = slice.since === null ? firstSeq : await firstFrom(slice.since)
  const end = slice.until === null ? lastSeq : (await firstFrom(slice.until)) - 1
  return { slice: { ...slice, seq: Math.max(slice.seq, from) }, upTo: Math.min(to ?? lastSeq, end, lastSeq) }
}

/**
 * Subjects that hold all of a slice, with the namespace; they may hold more. As few as can be: each is read for itself, so
 * that a server need not look for several at once.
 */
export function filtersOf(mesh: Mesh, { type, key }: ReplaySlice, { info }: StreamNow): string[] {
  const wild = type.split('.').findIndex((token) => token === '*' || token === '>')
  const below = wild === -1 ? type : type.split('.').slice(0, wild).join('.')
  if (wild !== -1) return [mesh.names.subject(below === '' ? '>' : `${below}.>`)]
  const partitions = Number(info.config.metadata?.['malha.partitions'])
  if (key === null || !(partitions > 0)) return [type, `${type}.>`].map((subject) => mesh.names.subject(subject))
  const token = keyToken(key)
  const place = `${partitionOf(token, partitions)}.${token}`
  return [`${type}.${place}`, `${type}.*.${place}`].map((subject) => mesh.names.subject(subject))
}

/** What is known of an event before it is sent. */
export type Candidate = { type: string | undefined; key: string | undefined; storedAtMs: number }

/** Whether an event is of a slice: subjects alone do not tell. */
export function isWithin({ type, key, since, until }: ReplaySlice, event: Candidate): boolean {
  if (event.type === undefined || !(event.type === type || covers(type, event.type))) return false
  if (key !== null && event.key !== key) return false
  if (since !== null && event.storedAtMs < Date.parse(since)) return false
  return until === null || event.storedAtMs < Date.parse(until)
}
