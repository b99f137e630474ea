/**
 * An aggregate at work.
 *
 * A1  What a command leads to is stored all together, and only if nothing has happened to the aggregate since it was read.
 * A2  Overtaken, it is read again and decided again; never is an old decision stored on a new state.
 * A3  A command with an id leads to its events once, also when it comes again.
 * A4  A snapshot never says that it has all events while it may not: see keep.ts.
 */
import { randomUUID } from 'node:crypto'
import { type AnyContract, derivedId, type Mesh, MeshError, publication } from '@malha/mesh'
import { PatternsError } from '../errors.ts'
import { again } from '../store/records.ts'
import { type AggregateDef, type EventContracts, type NewEvent, type PastEvent, subjectsOf } from './aggregate.ts'
import { load, type Loaded, VERSION_HEADER } from './load.ts'
import { announce, keep, type Keeping, type Kept } from './keep.ts'
import { openSnapshots } from './snapshot.ts'

export type OpenAggregateOptions = {
  /**
   * Keeps the state of each aggregate in a bucket: fewer events to read, and they may age out of their stream. `every` is
   * after how many events; with 1 an aggregate outlives all of its events. @default none
   */
  snapshots?: { every: number; maxBytes?: number }
}

export type ExecuteOptions = {
  /** The command's identity, in a handler `ctx.id`: a second time it leads to nothing. @default every call is another one */
  id?: string
  /** What it belongs to, in a handler `ctx.correlationId`. @default the command's id */
  correlationId?: string
}

/** What a command led to. */
export type Executed<State, Events extends EventContracts> = {
  readonly state: State
  /** How many events the aggregate has now. */
  readonly version: number
  readonly events: readonly PastEvent<Events>[]
  /** The command came before, and led to its events then. */
  readonly duplicate: boolean
}

/** Aggregates of one kind. */
export interface Aggregates<State, Command, Events extends EventContracts> {
  /** What it publishes; for `defineService`. */
  readonly publishes: readonly AnyContract[]
  /** One aggregate as its events make it. @throws as `execute` */
  load(id: string): Promise<Loaded<State>>
  /**
   * Reads the aggregate, decides, appends. Overtaken by another command it does so again, a few times.
   * @throws PatternsError PATTERNS_AGGREGATE_GAP | PATTERNS_UNKNOWN_EVENT | PATTERNS_CONFLICT, what `decide` throws, and
   * MeshError as `mesh.publishAll`
   */
  execute(id: string, command: Command, options?: ExecuteOptions): Promise<Executed<State, Events>>
}

/**
 * Opens an aggregate: its stream must be there (`publishes` of a service), its bucket is made.
 * @throws MeshError MESH_TOPOLOGY where the bucket cannot be opened
 */
export async function openAggregate<State, Command, Events extends EventContracts>(
  mesh: Mesh,
  def: AggregateDef<State, Command, Events>,
  { snapshots }: OpenAggregateOptions = {},
): Promise<Aggregates<State, Command, Events>> {
  const every = snapshots?.every ?? 0
  const store = snapshots && (await openSnapshots(mesh, def.name, snapshots.maxBytes ?? 1024 ** 3))
  const at: Place<State, Command, Events> = { mesh, def, store, every }
  return {
    publishes: Object.values(def.events),
    load: async (id) => (await loadWith(at, id)).loaded,
    async execute(id, command, options = {}) {
      const call: Call<Command> = { id, command, options, token: options.id ?? randomUUID(), isOvertaken: false }
      try {
        return await again(`${def.name} ${id}`, () => attempt(at, call))
      } finally {
        if (call.isOvertaken) await giveUp(at, call)
      }
    },
  }
}

type Place<State, Command, Events extends EventContracts> = Keeping & { def: AggregateDef<State, Command, Events> }

type Read<State> = { loaded: Loaded<State>; kept: Kept | undefined }

async function loadWith<State, Command, Events extends EventContracts>(
  { mesh, def, store }: Place<State, Command, Events>,
  id: string,
): Promise<Read<State>> {
  const snapshot = await store?.read(id)
  const loaded = await load({ mesh, def, id, snapshot })
  return { loaded, kept: snapshot && { ...snapshot.value, revision: snapshot.revision } }
}

type Call<Command> = {
  readonly id: string
  readonly command: Command
  readonly options: ExecuteOptions
  /** Names the command in a snapshot, with an id or not. */
  readonly token: string
  /** Others appended after it was announced that this one would. */
  isOvertaken: boolean
}

/** Upholds A1 to A3. Undefined when it was overtaken. */
async function attempt<State, Command, Events extends EventContracts>(
  at: Place<State, Command, Events>,
  call: Call<Command>,
): Promise<Executed<State, Events> | undefined> {
  const { loaded, kept } = await loadWith(at, call.id)
  const { state, version, handled } = loaded
  if (call.options.id !== undefined && handled.includes(call.options.id)) {
    // Whoever appended may have died before the snapshot.
    await keep(at, call.id, { loaded, kept, command: call.token })
    return { state, version, events: [], duplicate: true }
  }
  const decided = at.def.decide(state, call.command)
  if (decided.length === 0) return { state, version, events: [], duplicate: false }
  const checked = await Promise.all(decided.map((one) => past(at.def, one)))
  const events = checked.map(({ event }) => event)
  checkKeys(at.def, call.id, events)
  call.isOvertaken = false
  // What cannot be stored is refused there, and announced it would have to be taken back.
  const announced = checked.every(({ isValid }) => isValid)
    ? await announce(at, call.id, { loaded, kept, command: call.token })
    : kept
  if (announced === 'overtaken') return undefined
  const lastSeq = await append(at, { ...call, decided, loaded })
  call.isOvertaken = lastSeq === undefined
  if (lastSeq === undefined) return undefined
  const after: Loaded<State> = {
    state: events.reduce((before, event) => at.def.evolve(before, event), state),
    version: version + events.length,
    lastSeq,
    handled: [...handled, ...(call.options.id === undefined ? [] : [call.options.id])],
  }
  await keep(at, call.id, { loaded: after, kept: announced, command: call.token })
  return { state: after.state, version: after.version, events, duplicate: false }
}

/** Overtaken, and not to append any more: what it announced is taken back. */
async function giveUp<State, Command, Events extends EventContracts>(
  at: Place<State, Command, Events>,
  { id, token }: Call<Command>,
): Promise<void> {
  try {
    const { loaded, kept } = await loadWith(at, id)
    if (kept?.before === token) await keep(at, id, { loaded, kept, command: token })
  } catch (err) {
    at.mesh.log.warn(
      { err, aggregate: at.def.name, id },
      'a snapshot could not be written; the next command tries again',
    )
  }
}

type Append<State, Command, Events extends EventContracts> = Call<Command> & {
  decided: readonly NewEvent<Events>[]
  loaded: Loaded<State>
}

/** The sequence of the last event; undefined when something has happened to the aggregate meanwhile. */
async function append<State, Command, Events extends EventContracts>(
  { mesh, def }: Place<State, Command, Events>,
  { id, options, decided, loaded }: Append<State, Command, Events>,
): Promise<number | undefined> {
  const publications = decided.map(({ type, data }, index) => {
    const contract = def.events[type]!
    const from = options.id
    return publication(contract, data, {
      headers: { [VERSION_HEADER]: String(loaded.version + index + 1) },
      ...(from === undefined
        ? {}
        : {
            id: derivedId({ from, service: 'aggregate', handler: def.name, type: contract.type, key: id, index }),
            causationId: from,
            correlationId: options.correlationId ?? from,
          }),
    })
  })
  try {
    const stored = await mesh.publishAll(publications, {
      expect: { lastSeq: loaded.lastSeq, subjects: subjectsOf(def, id) },
    })
    return stored.at(-1)!.seq
  } catch (error) {
    if (error instanceof MeshError && error.code === 'MESH_EXPECTATION_FAILED') return undefined
    throw error
  }
}

/** A decided event as it will be read, through its contract's encoding and schema; and whether it can be stored. */
async function past<Events extends EventContracts>(
  { events }: { events: Events },
  { type, data }: NewEvent<Events>,
): Promise<{ event: PastEvent<Events>; isValid: boolean }> {
  const { codec, schema } = events[type]!
  const result = await schema['~standard'].validate(codec.decode(codec.encode(data)))
  const read = result.issues ? data : (result.value as unknown)
  return { event: { type, data: read } as PastEvent<Events>, isValid: !result.issues }
}

/**
 * An event under another key would stand among another aggregate's events, where nobody expected it.
 * @throws PatternsError PATTERNS_INVALID_STEP
 */
function checkKeys<State, Command, Events extends EventContracts>(
  def: AggregateDef<State, Command, Events>,
  id: string,
  events: readonly PastEvent<Events>[],
): void {
  for (const { type, data } of events)
    if (isAstray(def.events[type]!, data, id))
      throw new PatternsError(
        'PATTERNS_INVALID_STEP',
        `aggregate ${def.name} ${id} decided a ${type} whose key is not its id; nothing was stored. What happens to another aggregate is decided by a command to that one`,
      )
}

/** Data of which no key can be taken is refused by its schema, with every fault. */
function isAstray({ key }: AnyContract, data: unknown, id: string): boolean {
  try {
    return key?.(data) !== id
  } catch {
    return false
  }
}
