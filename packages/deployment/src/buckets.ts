import type { Names, PlannedStream } from '@malha/mesh'
import type { Deployment } from './deployment.ts'

const MIB = 1024 ** 2

/** A key-value bucket that a workload opens by itself. */
export type Bucket = {
  /** Without the namespace: `CENTER_STATUS`. */
  readonly name: string
  /** @default 256 MiB */
  readonly maxBytes?: number
}

/** The streams under the buckets of the workloads, as the client of NATS makes them. */
export const bucketStreams = ({ workloads }: Deployment, names: Names): PlannedStream[] => [
  ...workloads.flatMap(({ buckets = [] }) => buckets.map((bucket) => bucketStream(bucket, names))),
  // Of what operators begin.
  bucketStream({ name: 'RUNS' }, names),
  ...(workloads.some(({ tool }) => tool === 'archive') ? [leaseStream(names)] : []),
]

/** In it archives agree on who writes; its keys have a time to live. */
const leaseStream = (names: Names): PlannedStream => ({
  ...bucketStream({ name: 'ARCHIVE_LEASES', maxBytes: 16 * MIB }, names),
  allow_msg_ttl: true,
  subject_delete_marker_ttl: 1_000_000_000,
})

function bucketStream({ name, maxBytes = 256 * MIB }: Bucket, names: Names): PlannedStream {
  const bucket = names.bucket(name)
  return {
    name: `KV_${bucket}`,
    subjects: [`$KV.${bucket}.>`],
    max_msgs_per_subject: 1,
    max_bytes: maxBytes,
    discard: DISCARD_NEW,
    allow_rollup_hdrs: true,
    // Read-your-write: only the leader answers.
    allow_direct: false,
    duplicate_window: 120_000_000_000,
  }
}

const DISCARD_NEW: PlannedStream['discard'] & string = 'new'
