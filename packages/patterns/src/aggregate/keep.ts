/**
 * When an aggregate's state is written to its snapshot.
 *
 * With one after every append an aggregate outlives its events: then a snapshot says that it has all of them. It must not
 * say so while events are being appended, since who appends may die, or the bucket be away, before the next one is written.
 *
 * K1  Before an append such a snapshot is written anew, with how far the stream is (`until`) and for which command
 *     (`before`): from there on there may be events it does not have.
 * K2  `until` goes only after something was appended since it was written, by that command or by whoever overtook it, and
 *     only if nobody has written the snapshot meanwhile. Whoever was about to append then has decided on an older state,
 *     and is refused; or has read this one, and writes over it first.
 */
import { type Mesh, type StreamDef, streamState } from '@malha/mesh'
import { reading, type Records } from '../store/records.ts'
import type { Loaded } from './load.ts'
import { KEPT_COMMANDS, type Snapshot, SNAPSHOT_FORMAT } from './snapshot.ts'

/** Where snapshots are kept, and how often. */
export type Keeping = {
  readonly mesh: Mesh
  readonly def: { readonly name: string; readonly stream: StreamDef; readonly version: number }
  readonly store: Records<Snapshot> | undefined
  readonly every: number
}

/** What is needed of the snapshot that is there. */
export type Kept = Pick<Snapshot, 'version' | 'seq' | 'until' | 'before'> & { readonly revision: number }

type Occasion<State> = { loaded: Loaded<State>; kept: Kept | undefined; command: string }

/**
 * Upholds K1. The snapshot that is there then.
 * @throws PatternsError PATTERNS_STORE_UNAVAILABLE | PATTERNS_STATE_TOO_LARGE: nothing may be appended
 */
export async function announce<State>(
  at: Keeping,
  id: string,
  { loaded, kept, command }: Occasion<State>,
): Promise<Kept | undefined | 'overtaken'> {
  const { store, every } = at
  const isClaimed = kept !== undefined && (kept.until === undefined || kept.before !== undefined)
  if (!store || (every !== 1 && !isClaimed)) return kept
  const { epoch, lastSeq: until } = await stand(at)
  const now = snapshotOf(at, id, { loaded, epoch })
  // Where its events are gone the stream says 0.
  const value: Snapshot = { ...now, seq: Math.max(now.seq, kept?.seq ?? 0), until, before: command }
  const revision = await store.write(id, value, kept?.revision)
  return revision === undefined ? 'overtaken' : { ...value, revision }
}

/** Upholds K2. A snapshot that cannot be written is no harm: it says what it does not have, and the next command tries again. */
export async function keep<State>(at: Keeping, id: string, { loaded, kept, command }: Occasion<State>): Promise<void> {
  const { mesh, def, store, every } = at
  if (!store || loaded.lastSeq === 0) return
  if (!(every === 1 ? mayBeWhole(loaded, kept, command) : isDue(loaded, kept, every))) return
  try {
    const { epoch } = await stand(at)
    const value = snapshotOf(at, id, { loaded, epoch })
    await store.write(id, every === 1 ? value : { ...value, until: loaded.lastSeq }, kept?.revision)
  } catch (err) {
    mesh.log.warn({ err, aggregate: def.name, id }, 'a snapshot could not be written; the next command tries again')
  }
}

function mayBeWhole<State>({ version }: Loaded<State>, kept: Kept | undefined, command: string): boolean {
  if (kept === undefined || kept.before === command) return true
  return kept.until === undefined && kept.version !== version
}

function isDue<State>({ version }: Loaded<State>, kept: Kept | undefined, every: number): boolean {
  return kept === undefined || version - kept.version >= every
}

function stand({ mesh, def }: Keeping): ReturnType<typeof streamState> {
  return reading(`stream ${def.stream.name}`, streamState(mesh.nats, mesh.names.stream(def.stream)))
}

function snapshotOf<State>(
  { def }: Keeping,
  id: string,
  { loaded, epoch }: { loaded: Loaded<State>; epoch: number },
): Snapshot {
  const { state, version, lastSeq: seq } = loaded
  const handled = loaded.handled.slice(-KEPT_COMMANDS)
  return { v: SNAPSHOT_FORMAT, aggregate: def.name, id, stateVersion: def.version, state, version, seq, epoch, handled }
}
