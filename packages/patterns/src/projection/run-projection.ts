/**
 * Keeps one version of a projection up to date, and makes it the live one when it has caught up.
 *
 * V1  A version is written by its own definition only, and readers are sent to it only after it has caught up.
 * V2  It has caught up when it holds all that the stream's leader had when it looked, and is not behind the live version.
 * V3  The version before stays until somebody confirms the swap.
 * V4  Any number of processes may build the same version: a view says up to where it is made, and is written by
 *     compare-and-set.
 * V5  A version that was removed is neither built nor read again.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Mesh, type Metrics, noMetrics } from '@malha/mesh'
import type { EventContracts } from '../aggregate/aggregate.ts'
import { PatternsError } from '../errors.ts'
import type { EventArchive } from './event-archive.ts'
import { pass, type Position } from './pass.ts'
import {
  type Built,
  builtId,
  isRemoved,
  openPointers,
  type Pointer,
  POINTER_FORMAT,
  type Pointers,
  repoint,
  swapped,
} from './pointer.ts'
import type { ProjectionDef } from './projection.ts'
import { kvStores, type StoresOption } from './store.ts'

export type RunProjectionOptions<View> = StoresOption<View> & {
  /**
   * Has what the stream has forgotten, and is read where the projection is not so far yet: all of it, or the projection
   * waits, whatever its `gaps` say. @default nothing has it
   */
  archive?: EventArchive
  /** Where the figures go. @default nowhere */
  metrics?: Metrics
  /** Pause after everything was taken in, ms. @default 250 */
  everyMs?: number
  /** Whether it goes live by itself when it has caught up; else `swapTo` does. @default true */
  swap?: boolean
}

/** A version of a projection that is kept up to date. */
export interface RunningProjection extends AsyncDisposable {
  readonly version: number
  /** Resolves when it has caught up for the first time. */
  readonly caughtUp: Promise<void>
  /** Why it does not go on; undefined while it does. It tries again by itself. */
  readonly fault: string | undefined
  /** Events that do not fit their contract, passed over since the start. */
  readonly unreadable: number
}

const MOST_PAUSE_MS = 30_000
/** How often the whole stream is looked at, though nothing came. */
const THOROUGH_MS = 30_000

/**
 * Builds a version of a projection from where it stands, from the stream's first event if it is new, and goes on with it
 * until disposed of. Live at once where no version is.
 * @throws PatternsError PATTERNS_PROJECTION_REMOVED; MeshError MESH_TOPOLOGY where a bucket cannot be opened
 */
export async function runProjection<View, Events extends EventContracts>(
  mesh: Mesh,
  def: ProjectionDef<View, Events>,
  options: RunProjectionOptions<View> = {},
): Promise<RunningProjection> {
  const { stores = kvStores<View>(mesh, def.name), everyMs = 250 } = options
  const pointers = await openPointers(mesh)
  await pointerFor(pointers, def)
  const store = await stores(def.version)
  const says = sayings(def, options.metrics ?? noMetrics)
  const over = new AbortController()
  const caughtUp = Promise.withResolvers<void>()
  const running = { fault: undefined as string | undefined, unreadable: 0 }

  // Where this version stands to the live one cannot change any more but by hand.
  let isSettled = options.swap === false
  let thoroughAt = 0
  const thoroughMs = Math.min(THOROUGH_MS, def.stream.maxAgeMs / 4)
  const look = async (from: Position | undefined): Promise<{ position: Position; isIdle: boolean }> => {
    const isThorough = !isSettled || performance.now() - thoroughAt >= thoroughMs
    if (isThorough) thoroughAt = performance.now()
    const { position, taken } = await pass({
      mesh,
      def,
      store,
      archive: options.archive,
      from,
      isThorough,
      signal: over.signal,
      onFound: (behind) => says.behind(behind),
      async onProgress(reached, behind) {
        await advanceTo(pointers, def, reached)
        says.behind(behind)
      },
      onUnreadable(err, seq) {
        running.unreadable += 1
        says.unreadable()
        mesh.log.warn({ err, projection: def.name, seq }, 'an event that does not fit its contract is passed over')
      },
    })
    const isCaughtUp = !over.signal.aborted && taken <= NEAR
    if (isCaughtUp && isThorough) {
      const standing = options.swap === false ? await standingOf(pointers, def) : await goLive(pointers, def, position)
      isSettled ||= standing !== 'next'
      says.live(standing === 'live')
    }
    if (isCaughtUp) caughtUp.resolve()
    return { position, isIdle: taken === 0 }
  }

  const run = async (): Promise<void> => {
    let pauseMs = everyMs
    let position: Position | undefined
    let isKnown = false
    while (!over.signal.aborted) {
      try {
        if (!isKnown) {
          await pointerFor(pointers, def)
          position = (await pointers.built.read(builtId(def.name, def.version)))?.value
          isKnown = true
        }
        const looked = await look(position)
        position = looked.position
        running.fault = undefined
        pauseMs = everyMs
        if (!looked.isIdle) continue
      } catch (err) {
        isKnown = false
        running.fault = err instanceof Error ? err.message : String(err)
        mesh.log.error(
          { err, projection: def.name, version: def.version },
          'the projection does not go on; that is tried again',
        )
        pauseMs = Math.min(2 * pauseMs, MOST_PAUSE_MS)
      }
      await sleep(pauseMs, undefined, { signal: over.signal }).catch(() => undefined)
    }
  }
  const ended = run()
  return {
    version: def.version,
    caughtUp: caughtUp.promise,
    get fault() {
      return running.fault
    },
    get unreadable() {
      return running.unreadable
    },
    async [Symbol.asyncDispose]() {
      over.abort()
      await ended
    },
  }
}

/** So many events in one look, and under load there are always some, mean that nothing was left behind. */
const NEAR = 256

/** Never back: another process may be further. */
async function advanceTo<View, Events extends EventContracts>(
  { built }: Pointers,
  { name, version }: ProjectionDef<View, Events>,
  { epoch, seq }: Position,
): Promise<void> {
  const id = builtId(name, version)
  const value: Built = { v: POINTER_FORMAT, projection: name, version, epoch, seq }
  const found = await built.read(id)
  if (found && found.value.epoch === epoch && found.value.seq >= seq) return
  // Overtaken: by whoever builds the same version, who says as much.
  await built.write(id, value, found?.revision)
}

type Named = { name: string; version: number }
type Standing = 'next' | 'live' | 'past'

/**
 * Upholds V5.
 * @throws PatternsError PATTERNS_PROJECTION_REMOVED
 */
async function pointerFor({ pointers }: Pointers, { name, version }: Named): Promise<Pointer | undefined> {
  const pointer = (await pointers.read(name))?.value
  if (!isRemoved(pointer, version)) return pointer
  throw new PatternsError(
    'PATTERNS_PROJECTION_REMOVED',
    `version ${version} of projection ${name} was removed when the swap to version ${pointer!.live} was confirmed; run the newer release, or raise the version`,
  )
}

async function standingOf(pointers: Pointers, { name, version }: Named): Promise<Standing> {
  return standing(await pointerFor(pointers, { name, version }), version)
}

function standing(pointer: Pointer | undefined, version: number): Standing {
  if (pointer === undefined || pointer.live < version) return pointer?.kept.includes(version) ? 'past' : 'next'
  return pointer.live === version ? 'live' : 'past'
}

/** Upholds V1 and V2. */
async function goLive(pointers: Pointers, { name, version }: Named, { epoch, seq }: Position): Promise<Standing> {
  const now = await pointerFor(pointers, { name, version })
  if (standing(now, version) !== 'next') return standing(now, version)
  const live = now && (await pointers.built.read(builtId(name, now.live)))?.value
  if (live?.epoch === epoch && live.seq > seq) return 'next'
  const after = await repoint(pointers, name, (pointer) =>
    standing(pointer, version) === 'next' && !isRemoved(pointer, version) ? swapped(pointer, name, version) : undefined,
  )
  return standing(after, version)
}

function sayings<View, Events extends EventContracts>(
  { name, version }: ProjectionDef<View, Events>,
  metrics: Metrics,
): { behind(count: number): void; unreadable(): void; live(isLive: boolean): void } {
  const of = { projection: name, version: String(version) }
  const labels = ['projection', 'version']
  const lag = metrics.gauge({ name: 'mesh_projection_lag_messages', help: 'Sequences not yet taken in.', labels })
  const live = metrics.gauge({ name: 'mesh_projection_live', help: '1 where readers get this version.', labels })
  const unreadable = metrics.counter({
    name: 'mesh_projection_unreadable_total',
    help: 'Events that do not fit their contract, passed over.',
    labels,
  })
  return {
    behind: (count) => lag.set(of, count),
    unreadable: () => unreadable.add(of),
    live: (isLive) => live.set(of, isLive ? 1 : 0),
  }
}

/**
 * Makes a version live by hand: a newer one that was built with `swap: false`, or the one before, which is kept.
 * @throws PatternsError PATTERNS_PROJECTION_NOT_LIVE where that version was never built, or is removed
 */
export async function swapTo(mesh: Mesh, name: string, version: number): Promise<void> {
  const pointers = await openPointers(mesh)
  const built = await pointers.built.read(builtId(name, version))
  await repoint(pointers, name, (pointer) => {
    if (built === undefined || isRemoved(pointer, version))
      throw new PatternsError(
        'PATTERNS_PROJECTION_NOT_LIVE',
        `version ${version} of projection ${name} is not there to swap to`,
      )
    return pointer?.live === version ? undefined : swapped(pointer, name, version)
  })
}

/**
 * The live version is right: the ones before are removed. Returns which. Can be called again where it was cut off.
 * @throws PatternsError PATTERNS_PROJECTION_NOT_LIVE where no version is live
 */
export async function confirmSwap<View, Events extends EventContracts>(
  mesh: Mesh,
  def: ProjectionDef<View, Events>,
  { stores = kvStores<View>(mesh, def.name) }: StoresOption<View> = {},
): Promise<number[]> {
  const pointers = await openPointers(mesh)
  // First no reader is sent there any more, then it goes.
  const marked = await repoint(
    pointers,
    def.name,
    (pointer) => pointer && { ...pointer, kept: [], dropping: [...new Set([...pointer.dropping, ...pointer.kept])] },
  )
  if (!marked) throw new PatternsError('PATTERNS_PROJECTION_NOT_LIVE', `no version of projection ${def.name} is live`)
  for (const version of marked.dropping) {
    await (await stores(version)).drop()
    const built = await pointers.built.read(builtId(def.name, version))
    if (built) await pointers.built.remove(builtId(def.name, version), built.revision)
  }
  await repoint(
    pointers,
    def.name,
    (pointer) =>
      pointer && {
        ...pointer,
        dropping: pointer.dropping.filter((one) => !marked.dropping.includes(one)),
        dropped: [...new Set([...pointer.dropped, ...marked.dropping])],
      },
  )
  return [...marked.dropping]
}
