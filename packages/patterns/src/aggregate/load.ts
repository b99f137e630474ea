import { decodePayload, getStored, HEADER, type Mesh, readEnvelope, streamState } from '@malha/mesh'
import { PatternsError } from '../errors.ts'
import { readForward, type StoredEvent } from '../store/read-forward.ts'
import { reading, type Versioned } from '../store/records.ts'
import { type AggregateDef, type EventContracts, type PastEvent, subjectsOf } from './aggregate.ts'
import type { Snapshot } from './snapshot.ts'

/** The header with an event's place in its aggregate, from 1. */
export const VERSION_HEADER = 'aggregate-version'

/** An aggregate as its events make it. */
export type Loaded<State> = {
  readonly state: State
  /** How many events it has; 0 when nothing has happened. */
  readonly version: number
  /** Sequence of its last event in the stream; 0 where the stream has none. */
  readonly lastSeq: number
  /** Ids of the commands that led to its events: all of them, or with a snapshot the latest. */
  readonly handled: readonly string[]
}

export type LoadOptions<State, Command, Events extends EventContracts> = {
  mesh: Mesh
  def: AggregateDef<State, Command, Events>
  id: string
  snapshot: Versioned<Snapshot> | undefined
}

/**
 * Reads an aggregate: its snapshot, and every event since. Version numbers on the events show that none is missing.
 * @throws PatternsError PATTERNS_AGGREGATE_GAP | PATTERNS_UNKNOWN_EVENT; MeshError MESH_NEWER_VERSION | MESH_SCHEMA_MISMATCH
 */
export async function load<State, Command, Events extends EventContracts>(
  options: LoadOptions<State, Command, Events>,
): Promise<Loaded<State>> {
  const { mesh, def, id } = options
  const stream = mesh.names.stream(def.stream)
  const subjects = mesh.names.subject(subjectsOf(def, id))
  const last = await reading(`${def.name} ${id}`, getStored(mesh.nats, stream, { last_by_subj: subjects }))
  const lastSeq = last?.seq ?? 0
  const found = options.snapshot?.value
  const isUsable = found !== undefined && (found.version === 0 || found.stateVersion === def.version)
  const usable = isUsable ? found : undefined
  if (usable) await checkSnapshot(options, usable, lastSeq)
  let { state, version, handled } = usable?.version
    ? { state: usable.state as State, version: usable.version, handled: new Set(usable.handled) }
    : { state: def.initial(), version: 0, handled: new Set<string>() }
  for await (const stored of readForward(mesh, { stream, subjects, from: (usable?.seq ?? 0) + 1, to: lastSeq })) {
    if (isBeside(def, stored)) continue
    checkVersion(options, stored, version)
    const { event, causationId } = await read(options, stored)
    state = def.evolve(state, event)
    version += 1
    if (causationId !== undefined) handled.add(causationId)
  }
  if (found && version < found.version)
    throw gap(
      options,
      `its snapshot is of version ${found.stateVersion} of the state, this release has ${def.version}, and its events are gone`,
    )
  return { state, version, lastSeq, handled: [...handled] }
}

type Whose = { def: { name: string }; id: string }

function gap({ def, id }: Whose, why: string): PatternsError {
  return new PatternsError(
    'PATTERNS_AGGREGATE_GAP',
    `${def.name} ${id}: ${why}. Nothing is decided on half a history; restore its events, or keep them longer than aggregates live, or take snapshots`,
  )
}

/** A command to the aggregate, or whatever else has the same key and a type that begins alike. */
function isBeside({ events }: { events: EventContracts }, { headers }: StoredEvent): boolean {
  if (headers[VERSION_HEADER] !== undefined) return false
  return !Object.values(events).some(({ type }) => type === headers[HEADER.type])
}

function checkVersion(whose: Whose, { seq, headers }: StoredEvent, known: number): void {
  const version = Number(headers[VERSION_HEADER] ?? Number.NaN)
  if (version === known + 1) return
  if (!Number.isSafeInteger(version))
    throw gap(
      whose,
      `the event at sequence ${seq} has no ${VERSION_HEADER}: it was not appended to the aggregate, but published beside it`,
    )
  if (version <= known) throw gap(whose, `event ${version} is there twice, the second time at sequence ${seq}`)
  const missing = version - known === 2 ? `event ${known + 1} is` : `events ${known + 1} to ${version - 1} are`
  throw gap(whose, `${missing} missing before the one at sequence ${seq}`)
}

/** What a snapshot says must be what the stream says, as far as the stream still says it. */
async function checkSnapshot<State, Command, Events extends EventContracts>(
  options: LoadOptions<State, Command, Events>,
  snapshot: Snapshot,
  lastSeq: number,
): Promise<void> {
  if (lastSeq > 0 && lastSeq >= snapshot.seq) return
  if (lastSeq > 0)
    throw gap(
      options,
      `its snapshot knows the event at sequence ${snapshot.seq}, its last one in the stream is at ${lastSeq}: the stream was made again or restored`,
    )
  const { mesh, def } = options
  const { firstSeq, epoch } = await reading(
    `stream ${def.stream.name}`,
    streamState(mesh.nats, mesh.names.stream(def.stream)),
  )
  if (epoch !== snapshot.epoch) throw gap(options, 'its stream was made again since its snapshot')
  if (snapshot.until !== undefined && firstSeq > snapshot.until + 1)
    throw gap(
      options,
      `its events are gone, and there may have been some after its snapshot (version ${snapshot.version})`,
    )
}

async function read<State, Command, Events extends EventContracts>(
  { def, id }: LoadOptions<State, Command, Events>,
  { headers, payload, seq }: StoredEvent,
): Promise<{ event: PastEvent<Events>; causationId: string | undefined }> {
  const envelope = readEnvelope(headers)
  const found = Object.entries(def.events).find(([, contract]) => contract.type === envelope.type)
  if (!found)
    throw new PatternsError(
      'PATTERNS_UNKNOWN_EVENT',
      `${def.name} ${id}: ${envelope.type} at sequence ${seq} is no event this release knows; it waits until one runs that does`,
    )
  const [type, contract] = found
  const data = await decodePayload(contract, envelope, payload)
  return { event: { type, data } as PastEvent<Events>, causationId: envelope.causationId }
}
