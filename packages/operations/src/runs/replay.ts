import { createHash } from 'node:crypto'
import type { ReplayReader } from '@malha/archive'
import type { Mesh } from '@malha/mesh'
import { OperationsError } from '../errors.ts'
import { queryOf, readArchive } from './archive-source.ts'
import { fitHandler } from './handler-fit.ts'
import { type FoundSlice, findSlice, type ReplayFrom } from './slice.ts'
import { readSlice } from './stream-source.ts'
import type { Event } from './replayed.ts'

/** To whom, and which events. */
export type ReplayOf = {
  service: string
  handler: string
  from?: ReplayFrom | undefined
  asNew?: boolean | undefined
  /** Events up to this one: what a plan gave as `upTo` sends what it showed, and none stored since. @default the last */
  upTo?: number | undefined
}

/** One event that a replay would send. */
export type ReplaySample = {
  readonly seq: number
  readonly type: string | undefined
  readonly id: string | undefined
  readonly key: string | undefined
  /** RFC 3339. */
  readonly storedAt: string
}

/** What a replay would send, if it began now. */
export type ReplayPlan = {
  /** Exactly so many: they were counted one by one. */
  readonly total: number
  /** The last event that there was. */
  readonly upTo: number
  readonly service: string
  readonly handler: string
  /** As the server names it. */
  readonly stream: string
  /** The handler is a shadow: nothing of what it publishes is stored. */
  readonly shadow: boolean
  /** The oldest few of them. */
  readonly samples: readonly ReplaySample[]
}

type PlannedReplay = { plan: ReplayPlan; found: FoundSlice }

/** What events are read from. */
export type Readers = { mesh: Mesh; archive: ReplayReader | undefined }

type Count = { total: number; upTo: number; samples: readonly ReplaySample[] }

const SAMPLES = 5
const AT_ONCE = 1000

/**
 * Counts what a replay would send.
 * @throws OperationsError OPERATIONS_HANDLER_UNFIT | OPERATIONS_INVALID_OPTIONS
 */
export async function planReplay({ mesh, archive }: Readers, of: ReplayOf): Promise<PlannedReplay> {
  const handler = await fitHandler(mesh, of)
  if (typeof handler === 'string') throw new OperationsError('OPERATIONS_HANDLER_UNFIT', handler)
  const slice = await findSlice(mesh, handler, of.from ?? {})
  const found = { ...slice, upTo: Math.min(slice.upTo, of.upTo ?? Infinity) }
  const { total, upTo, samples } = found.slice.archive
    ? await countArchived(archive, found)
    : await countStored(mesh, found)
  const { service, isShadow: shadow } = handler
  const plan = { total, upTo, service, handler: handler.handler, stream: found.slice.stream, shadow, samples }
  return { plan, found: { ...found, upTo } }
}

/** One by one: subjects alone do not tell what a handler takes. */
async function countStored(mesh: Mesh, { slice, upTo }: FoundSlice): Promise<Count> {
  const samples: ReplaySample[] = []
  let total = 0
  for (let after = slice.seq - 1; after < upTo;) {
    const { events, until } = await readSlice(mesh, slice, { after, upTo, limit: AT_ONCE })
    samples.push(...events.slice(0, SAMPLES - samples.length).map(sampleOf))
    total += events.length
    after = until
  }
  return { total, upTo, samples }
}

async function countArchived(archive: ReplayReader | undefined, { slice, upTo }: FoundSlice): Promise<Count> {
  const reader = needed(archive)
  const { count: total, last } = await reader.count(queryOf(slice, { after: slice.seq - 1, upTo }))
  const bounds = { after: slice.seq - 1, upTo: last, limit: SAMPLES }
  const { events } = total === 0 ? { events: [] } : await readArchive(reader, slice, bounds)
  return { total, upTo: last, samples: events.map(sampleOf) }
}

/** @throws OperationsError OPERATIONS_INVALID_OPTIONS */
export function needed(archive: ReplayReader | undefined): ReplayReader {
  if (archive) return archive
  throw new OperationsError(
    'OPERATIONS_INVALID_OPTIONS',
    'these events are read from the archive; open the operations with one',
  )
}

export const sampleOf = ({ place, type, id, key, storedAtMs }: Event): ReplaySample => ({
  seq: place.seq,
  type,
  id,
  key,
  storedAt: new Date(storedAtMs).toISOString(),
})

/** The same for replays that do the same. */
export function turnName({ service, handler, from, asNew = false }: ReplayOf): string {
  const said = JSON.stringify([service, handler, from ?? {}, asNew], (_, value: unknown) =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  )
  return createHash('sha256').update(said).digest('hex').slice(0, 32)
}
