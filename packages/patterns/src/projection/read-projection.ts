import type { Mesh } from '@malha/mesh'
import type { EventContracts } from '../aggregate/aggregate.ts'
import { PatternsError } from '../errors.ts'
import { openPointers, type Pointer, type Pointers } from './pointer.ts'
import type { ProjectionDef } from './projection.ts'
import { kvStores, type ProjectionStore, type StoresOption } from './store.ts'

/** One version of a projection, to be read. */
export interface ProjectionView<View> {
  readonly version: number
  get(key: string): Promise<View | undefined>
}

/** A projection to be read. */
export interface ProjectionReader<View> {
  /** A view of the version that is live now. @throws PatternsError PATTERNS_PROJECTION_NOT_LIVE */
  get(key: string): Promise<View | undefined>
  /** The version that is live now, for several reads of one and the same. */
  pin(): Promise<ProjectionView<View>>
}

/**
 * Opens a projection for reading. Readers get the live version; those of an older release their own one, as long as it is
 * kept; and `upcast` brings views of an older version to theirs while the new one is being built.
 */
export async function readProjection<View, Events extends EventContracts>(
  mesh: Mesh,
  def: ProjectionDef<View, Events>,
  { stores = kvStores<View>(mesh, def.name) }: StoresOption<View> = {},
): Promise<ProjectionReader<View>> {
  const pointers = await openPointers(mesh)
  const opened = new Map<number, Promise<ProjectionStore<View>>>()
  const open = (version: number): Promise<ProjectionStore<View>> => {
    const known = opened.get(version) ?? stores(version)
    opened.set(version, known)
    known.catch(() => opened.delete(version))
    return known
  }
  const viewOf = async (version: number): Promise<ProjectionView<View>> => {
    const store = await open(version)
    return {
      version,
      async get(key) {
        const view = await store.get(key)
        return view === undefined || version === def.version ? view : def.upcast(view, version)
      },
    }
  }
  const pin = async (): Promise<ProjectionView<View>> => viewOf(await versionFor(pointers, def))
  return {
    pin,
    async get(key) {
      for (;;) {
        const view = await pin()
        const read = await view.get(key).then(
          (found) => ({ found, failed: false, error: undefined }),
          (error: unknown) => ({ found: undefined, failed: true, error }),
        )
        if (read.found !== undefined) return read.found
        // Nothing was there, or nothing could be read: was this version removed between the two reads?
        if ((await versionFor(pointers, def)) !== view.version) continue
        if (read.failed) throw read.error
        return undefined
      }
    },
  }
}

async function versionFor<View, Events extends EventContracts>(
  { pointers }: Pointers,
  { name, version }: ProjectionDef<View, Events>,
): Promise<number> {
  const pointer = (await pointers.read(name))?.value
  const found = pointer && readable(pointer, version)
  if (found !== undefined) return found
  throw new PatternsError(
    'PATTERNS_PROJECTION_NOT_LIVE',
    pointer
      ? `projection ${name}: version ${pointer.live} is live, this release knows ${version}, and that is removed; run the newer release`
      : `projection ${name}: no version is built yet; it is live as soon as runProjection has caught up`,
  )
}

function readable({ live, kept }: Pointer, version: number): number | undefined {
  if (live <= version) return live
  return kept.includes(version) ? version : undefined
}
