import type { CenterRegistry } from './registry.ts'
import type { StatusStore } from './store.ts'

/** What is known of every centre, and in which order they came. */
export type ReadModel = { readonly statuses: StatusStore; readonly registry: CenterRegistry }
