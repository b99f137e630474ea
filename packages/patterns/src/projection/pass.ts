import { decodePayload, type Envelope, getStored, type Mesh, MeshError, readEnvelope, streamState } from '@malha/mesh'
import type { EventContracts, PastEvent } from '../aggregate/aggregate.ts'
import { PatternsError } from '../errors.ts'
import { readForward, type StoredEvent } from '../store/read-forward.ts'
import { reading } from '../store/records.ts'
import { asStored, type EventArchive } from './event-archive.ts'
import type { Appearance, ProjectionDef } from './projection.ts'
import type { Entry, ProjectionStore } from './store.ts'

/** Where a version stands in the stream. */
export type Position = { readonly epoch: number; readonly seq: number }

export type PassOptions<View, Events extends EventContracts> = {
  mesh: Mesh
  def: ProjectionDef<View, Events>
  store: ProjectionStore<View>
  /** Undefined at the very beginning. */
  from: Position | undefined
  /** Has what the stream has forgotten. */
  archive: EventArchive | undefined
  /** Looks at the whole stream, not only at whether there are events of the projection. */
  isThorough: boolean
  /** Before anything is taken in, so that it is known of a pass that fails, too. */
  onFound: (behind: number) => void
  /** After each batch: the views have what comes before. */
  onProgress: (position: Position, behind: number) => Promise<void>
  /** An event that does not fit its contract, and is passed over. */
  onUnreadable: (error: unknown, seq: number) => void
  signal: AbortSignal
}

/** Events that are taken in together. */
const BATCH = 256
/** Keys written at once. */
const WRITERS = 32

/**
 * Takes in what the stream has now, by the word of its leader. Returns how far it was, and how much that was.
 * @throws PatternsError PATTERNS_PROJECTION_GAP | PATTERNS_STORE_UNAVAILABLE, MeshError MESH_NEWER_VERSION, what `project` throws
 */
export async function pass<View, Events extends EventContracts>(
  options: PassOptions<View, Events>,
): Promise<{ position: Position; taken: number }> {
  const { mesh, def, from, signal } = options
  const stream = mesh.names.stream(def.stream)
  const subjects = mesh.names.subject(def.subjects)
  if (from && !options.isThorough && (await lastOf(mesh, { stream, subjects })) <= from.seq)
    return { position: from, taken: 0 }
  const stand = () => reading(`stream ${stream}`, streamState(mesh.nats, stream))
  const { epoch, firstSeq, lastSeq } = await stand()
  // Asked after the stream's end: so nothing of ours up to that end is behind `to`.
  const to = await lastOf(mesh, { stream, subjects })
  options.onFound(Math.max(0, to - (from?.seq ?? 0)))
  const { archive } = options
  checkStart(def, from, archive ? { epoch, firstSeq: 1 } : { epoch, firstSeq })
  let position: Position = { epoch, seq: from?.seq ?? 0 }
  let taken = 0
  let batch: StoredEvent[] = []
  const flush = async (seq: number): Promise<void> => {
    await takeIn(options, batch)
    batch = []
    position = { epoch, seq }
    await options.onProgress(position, Math.max(0, to - seq))
  }
  if (archive && firstSeq > position.seq + 1) {
    const types = Object.values(def.events).map(({ type }) => type)
    const forgotten = { stream, epoch, from: position.seq + 1, to: firstSeq - 1, types }
    for await (const event of archive.read(forgotten)) {
      batch.push(asStored(event))
      taken += 1
      if (batch.length === BATCH) await flush(event.seq)
      if (signal.aborted) return { position, taken }
    }
    await flush(firstSeq - 1)
  }
  const flushRead = async (seq: number): Promise<void> => {
    // They may have left it since, before they were read.
    checkStart(def, position, await stand())
    await flush(seq)
  }
  for await (const stored of readForward(mesh, { stream, subjects, from: position.seq + 1, to })) {
    batch.push(stored)
    taken += 1
    if (batch.length === BATCH) await flushRead(stored.seq)
    if (signal.aborted) return { position, taken }
  }
  // Up to the stream's end, though other events are there: else they would look like a gap once they have aged out.
  const end = Math.max(to, lastSeq, position.seq)
  if (end > position.seq || batch.length > 0 || !from) await flushRead(end)
  return { position, taken }
}

/** By the leader's word; 0 where there is none. */
async function lastOf(mesh: Mesh, { stream, subjects }: { stream: string; subjects: string }): Promise<number> {
  const last = await reading(`stream ${stream}`, getStored(mesh.nats, stream, { last_by_subj: subjects }))
  return last?.seq ?? 0
}

function checkStart<View, Events extends EventContracts>(
  { name, version, gaps }: ProjectionDef<View, Events>,
  from: Position | undefined,
  now: { epoch: number; firstSeq: number },
): void {
  const gap = (why: string): PatternsError =>
    new PatternsError('PATTERNS_PROJECTION_GAP', `projection ${name} ${version}: ${why}`)
  if (from && from.epoch !== now.epoch)
    throw gap('its stream was made again; raise the version, so that it is built anew')
  const next = (from?.seq ?? 0) + 1
  if (now.firstSeq <= next || gaps === 'accept') return
  throw gap(
    `the events at sequences ${next} to ${now.firstSeq - 1} have left its stream before they were taken in; say gaps: 'accept' to do without them`,
  )
}

/** Keys side by side, and the events of each in their order. */
async function takeIn<View, Events extends EventContracts>(
  options: PassOptions<View, Events>,
  batch: readonly StoredEvent[],
): Promise<void> {
  const byKey = new Map<string, Change<Events>[]>()
  for (const stored of batch) {
    const change = await read(options, stored)
    if (change) byKey.set(change.appearance.key, [...(byKey.get(change.appearance.key) ?? []), change])
  }
  const keys = [...byKey]
  for (let at = 0; at < keys.length; at += WRITERS)
    await Promise.all(
      keys
        .slice(at, at + WRITERS)
        .map(([key, changes]) => options.store.update(key, (entry) => fold(options.def, entry, changes))),
    )
}

/** What was taken in before is not taken in again: another process may have been faster, or this one died. */
function fold<View, Events extends EventContracts>(
  def: ProjectionDef<View, Events>,
  entry: Entry<View> | undefined,
  changes: readonly Change<Events>[],
): Entry<View> | undefined {
  const fresh = changes.filter(({ appearance }) => appearance.seq > (entry?.until ?? 0))
  const last = fresh.at(-1)
  if (last === undefined) return undefined
  let view = entry?.view
  for (const { event, appearance } of fresh) view = def.project(view, event, appearance)
  return { until: last.appearance.seq, ...(view === undefined ? {} : { view }) }
}

type Change<Events extends EventContracts> = { event: PastEvent<Events>; appearance: Appearance }

/** Undefined for what is no event of the projection, or does not fit its contract. */
async function read<View, Events extends EventContracts>(
  { def, onUnreadable }: PassOptions<View, Events>,
  { headers, payload, seq }: StoredEvent,
): Promise<Change<Events> | undefined> {
  const found = Object.entries(def.events).find(([, { type }]) => type === headers['ce-type'])
  if (!found) return undefined
  const [type, contract] = found
  let envelope: Envelope
  let data: unknown
  try {
    envelope = readEnvelope(headers)
    data = await decodePayload(contract, envelope, payload)
  } catch (error) {
    if (error instanceof MeshError && error.disposition === 'terminal') {
      onUnreadable(error, seq)
      return undefined
    }
    throw error
  }
  const event = { type, data } as PastEvent<Events>
  const key = def.key ? def.key(event) : envelope.key
  if (key === undefined) {
    onUnreadable(new Error(`${envelope.type} has no key`), seq)
    return undefined
  }
  return { event, appearance: { key, id: envelope.id, seq, at: envelope.time } }
}
