import type { Mesh } from '@malha/mesh'
import { again, type Records, records } from '../store/records.ts'

/** Which version of a projection readers get. */
export type Pointer = {
  /** Version of this format. */
  readonly v: number
  readonly projection: string
  readonly live: number
  /** Versions that were live before and are kept until the swap is confirmed. */
  readonly kept: readonly number[]
  /** Versions that are being removed. */
  readonly dropping: readonly number[]
  /** Versions that were removed. Whatever is left of them, or made anew, is never read. */
  readonly dropped: readonly number[]
  /** RFC 3339. */
  readonly swappedAt: string
}

/** How far a version is built. */
export type Built = {
  /** Version of this format. */
  readonly v: number
  readonly projection: string
  readonly version: number
  /** Creation time of the stream, unix seconds. */
  readonly epoch: number
  /** The last sequence that went into it. */
  readonly seq: number
}

/** Version of both records' format. */
export const POINTER_FORMAT = 1

export type Pointers = { readonly pointers: Records<Pointer>; readonly built: Records<Built> }

/** What is known of all projections, in the bucket `PROJECTIONS`: under `<name>` its pointer, under `<name>@<version>` how far it is built. */
export async function openPointers(mesh: Mesh): Promise<Pointers> {
  const kv = await mesh.bucket('PROJECTIONS', { maxBytes: 64 * 1024 ** 2 })
  const options = { kv, what: 'projection', format: POINTER_FORMAT }
  return { pointers: records<Pointer>(mesh, options), built: records<Built>(mesh, options) }
}

export const builtId = (name: string, version: number): string => `${name}@${version}`

/** Changes a pointer; as it was where `change` returns undefined. */
export async function repoint(
  { pointers }: Pointers,
  name: string,
  change: (pointer: Pointer | undefined) => Pointer | undefined,
): Promise<Pointer | undefined> {
  const changed = await again(`projection ${name}`, async () => {
    const found = await pointers.read(name)
    const next = change(found?.value)
    if (next === undefined) return { pointer: found?.value }
    return (await pointers.write(name, next, found?.revision)) ? { pointer: next } : undefined
  })
  return changed.pointer
}

/** The pointer with another version live, and the one before kept. */
export function swapped(pointer: Pointer | undefined, name: string, version: number): Pointer {
  const before = pointer ? [...pointer.kept, pointer.live] : []
  return {
    v: POINTER_FORMAT,
    projection: name,
    live: version,
    kept: before.filter((one) => one !== version),
    dropping: pointer?.dropping ?? [],
    dropped: pointer?.dropped ?? [],
    swappedAt: new Date().toISOString(),
  }
}

/** Gone for good: a number is not used twice. */
export function isRemoved(pointer: Pointer | undefined, version: number): boolean {
  return pointer !== undefined && (pointer.dropping.includes(version) || pointer.dropped.includes(version))
}
