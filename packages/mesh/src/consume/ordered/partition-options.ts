import type { RunnerOptions } from '../runner-options.ts'
import type { Line } from './key-turns.ts'
import type { Membership } from './membership.ts'
import type { Partition } from './partition.ts'
import type { PartitionStore, StoredRecord } from './partition-store.ts'

export type PartitionPort = {
  /** The first of a line may begin. */
  onReady: (partition: Partition, line: Line) => void
  /** Another instance has it, or what is known of it is void. */
  onLost: (partition: Partition, why: string) => void
  /** From now on it takes what runs sent. */
  onRestored: (partition: Partition) => void
}

export type PartitionOptions = {
  runner: RunnerOptions
  store: PartitionStore
  membership: Membership
  partition: number
  /** What it takes, as the server sees it. */
  filter: string
  /** As this instance wrote it when it took it over. */
  claimed: StoredRecord
  limit: number
  /** The same when nothing stands before the handler. @default `limit` */
  usualLimit?: number
  port: PartitionPort
}

/** How the keys of a partition are. */
export type KeyCounts = {
  /** With an event that is not settled, or something that a run sent. */
  open: number
  /** What is first waits for a retry. */
  held: number
  /** Events are left in the stream until their turn comes. */
  parked: number
  /** A dead letter holds them. */
  behindLetters: number
}
