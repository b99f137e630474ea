import type { Mesh } from '@malha/mesh'
import { bucketName } from '../store/bucket-name.ts'
import { type Records, records } from '../store/records.ts'

/** Version of the record's format. */
export const SNAPSHOT_FORMAT = 1

/** An aggregate as it was after one of its events. */
export type Snapshot = {
  /** Version of this format. */
  readonly v: number
  readonly aggregate: string
  readonly id: string
  /** Version of `state`. */
  readonly stateVersion: number
  readonly state: unknown
  /** Events that went into it. */
  readonly version: number
  /** Where the last of them stands. */
  readonly seq: number
  /** Creation time of the stream, unix seconds. */
  readonly epoch: number
  /** Commands that led to the latest of them. */
  readonly handled: readonly string[]
  /** Up to where in the stream it surely has every event of the aggregate; without it, it has all there are. */
  readonly until?: number
  /** The command that was about to append when this was written. */
  readonly before?: string
}

/** Commands that a snapshot remembers: one that comes again decides nothing. */
export const KEPT_COMMANDS = 200

/** The bucket of an aggregate's snapshots. */
export async function openSnapshots(mesh: Mesh, name: string, maxBytes: number): Promise<Records<Snapshot>> {
  const kv = await mesh.bucket(bucketName('AGGREGATE', name), { maxBytes })
  return records<Snapshot>(mesh, { kv, what: `the snapshot of ${name}`, format: SNAPSHOT_FORMAT })
}
