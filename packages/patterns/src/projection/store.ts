import type { Mesh } from '@malha/mesh'
import { bucketName } from '../store/bucket-name.ts'
import { again, records } from '../store/records.ts'

/** A view, and the sequence up to which it is made. Without `view` it was removed. */
export type Entry<View> = { readonly until: number; readonly view?: View }

/** Where the views of one version of a projection are. One's own: a table with a row a key, and `until` beside the view. */
export interface ProjectionStore<View> {
  get(key: string): Promise<View | undefined>
  /**
   * Replaces the entry of a key by what `change` makes of it; as it was where `change` returns undefined. In one
   * transaction, or by compare-and-set: two processes may do so at once, and `change` may run again.
   */
  update(key: string, change: (entry: Entry<View> | undefined) => Entry<View> | undefined): Promise<void>
  /** Removes the whole version. */
  drop(): Promise<void>
}

/** Opens the store of one version; makes it where it is missing. */
export type ProjectionStores<View> = (version: number) => Promise<ProjectionStore<View>>

/** Whoever builds, reads or swaps a projection names the same. */
export type StoresOption<View> = {
  /** Where the views are. @default in buckets of JetStream, one a version (`kvStores`) */
  stores?: ProjectionStores<View>
}

type EntryRecord<View> = Entry<View> & { readonly v: number }

/** Version of an entry's format. */
const ENTRY_FORMAT = 1

/** Views in buckets of JetStream, one a version: `PROJECTION_BALANCES_V2`. @param maxBytes of a version; @default 1 GiB */
export function kvStores<View>(mesh: Mesh, name: string, maxBytes: number = 1024 ** 3): ProjectionStores<View> {
  return async (version) => {
    const kv = await mesh.bucket(bucketName('PROJECTION', `${name}_v${version}`), { maxBytes })
    const what = `projection ${name} ${version}`
    const store = records<EntryRecord<View>>(mesh, { kv, what, format: ENTRY_FORMAT })
    return {
      get: async (key) => (await store.read(key))?.value.view,
      async update(key, change) {
        await again<unknown>(`${what} ${key}`, async () => {
          const found = await store.read(key)
          const entry = change(found?.value)
          if (entry === undefined) return true
          return await store.write(key, { v: ENTRY_FORMAT, ...entry }, found?.revision)
        })
      },
      async drop() {
        await kv.destroy()
      },
    }
  }
}
