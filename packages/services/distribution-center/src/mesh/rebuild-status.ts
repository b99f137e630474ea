import type { ClickHouseOptions } from '@malha/archive'
import type { Mesh } from '@malha/mesh'
import { joinStatus } from '../status/apply.ts'
import {
  movePointer,
  newGeneration,
  openGeneration,
  openPointer,
  readPointer,
  removeGeneration,
  sealGeneration,
} from '../status/generations.ts'
import type { ReadModel } from '../status/read-model.ts'
import type { CenterStatus } from '../status/status.ts'
import { type Known, learn, nothingKnown } from './known-of-centers.ts'

export type RebuildOptions = {
  readonly mesh: Mesh
  /** Where the archive is: it has what the streams have forgotten. @default what they have forgotten is not known */
  readonly archive?: ClickHouseOptions | undefined
}

export type RebuildReport = Pick<Known, 'events' | 'unreadable' | 'missing'> & {
  readonly centers: number
  /** Entries that were written; the others held everything already. */
  readonly written: number
}

/**
 * Adds to the read model what the events say, up to the last one at the time of the call. Safe while the service runs:
 * entries are joined, and written by compare-and-set. Nothing that an entry holds is lost, also where no event says it any more.
 * @throws ArchiveError ARCHIVE_UNREACHABLE
 */
export async function rebuildStatus(options: RebuildOptions & ReadModel): Promise<RebuildReport> {
  const known = nothingKnown()
  await learn(options.mesh, known, options.archive)
  return reportOf(known, await write(options, known))
}

export type ReplaceOptions = RebuildOptions & {
  /** Goes on where events are missing: what only they said is lost. @default false */
  readonly acceptMissing?: boolean
}

/**
 * Makes another read model from the events, beside the one that is read, and has readers and writers go to it when it has
 * caught up. For one that is wrong: nothing of it is taken over. The service may run; the one before stays until the next
 * time, to be looked at. If it ends before the end, `rebuildStatus` or another call adds what it did not.
 * @throws Error where events are missing, or somebody else replaces it at this moment; then nothing has changed
 */
export async function replaceStatus({ mesh, archive, acceptMissing = false }: ReplaceOptions): Promise<RebuildReport> {
  const kv = await openPointer(mesh)
  const before = await readPointer(kv)
  const known = nothingKnown()
  await learn(mesh, known, archive)
  if (known.missing.length > 0 && !acceptMissing) throw new Error(missingText(known, archive !== undefined))
  const live = newGeneration()
  const model = await openGeneration(mesh, live)
  const { live: replaced, before: last } = before.pointer
  try {
    await write(model, known)
    await learn(mesh, known, archive)
    await write(model, known)
    if (!(await movePointer(kv, { v: 1, live, before: replaced }, before)))
      throw new Error('somebody else has replaced the read model meanwhile; look at it, and begin again if it is wrong')
  } catch (error) {
    await removeGeneration(mesh, live)
    throw error
  }
  // Whoever has not seen it yet still writes into the old one. From here on that is refused, and what went there is learnt.
  await sealGeneration(mesh, replaced)
  await learn(mesh, known, archive)
  await write(model, known)
  if (last !== undefined) await removeGeneration(mesh, last)
  return reportOf(known, known.centers.size)
}

function missingText({ missing }: Known, wasArchiveAsked: boolean): string {
  const ranges = missing.map(
    ({ stream, epoch, from, to }) => `${stream} ${from} to ${to} (of the stream made at ${epoch})`,
  )
  const where = wasArchiveAsked ? 'neither the streams nor the archive have' : 'the streams have not any more'
  const next = wasArchiveAsked ? '' : 'ask the archive too (--archive), or '
  return `there are events that ${where}: ${ranges.join(', ')}; ${next}do without what only they said (--accept-missing)`
}

const reportOf = ({ events, unreadable, missing, centers }: Known, written: number): RebuildReport => ({
  events,
  unreadable,
  missing,
  centers: centers.size,
  written,
})

/** @returns how many entries did not hold everything */
async function write({ statuses, registry }: ReadModel, { centers, registered }: Known): Promise<number> {
  await inChunks([...registered], (centerId) => registry.add(centerId))
  let written = 0
  await inChunks([...centers], async ([centerId, known]) => {
    let before: CenterStatus | undefined
    const after = await statuses.update(centerId, (current) => {
      before = current
      return current === undefined ? known : joinStatus(current, known)
    })
    if (after !== before) written++
  })
  return written
}

const CHUNK = 64

/** A few at once: what costs is the way to the broker and back. */
async function inChunks<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let from = 0; from < items.length; from += CHUNK) await Promise.all(items.slice(from, from + CHUNK).map(work))
}
