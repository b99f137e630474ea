import { isWhole, type Logger, type Metrics, noMetrics, shown, silentLogger } from '@malha/mesh'
import { ArchiveError } from './errors.ts'
import type { BucketOptions } from './lease/lease-bucket.ts'
import { thisHolder } from './lease/lock.ts'
import type { FlushTimes } from './write/flush-policy.ts'
import type { BatchLimits } from './write/row-buffer.ts'

/** How the archiver works. Every member has a default that fits. */
export type ArchiveOptions = {
  log?: Logger
  metrics?: Metrics
  /** Most events of one insert. @default 10_000 */
  batchRows?: number
  /** Most bytes of one insert, as sent. Memory per stream is about three of these. @default 8 MiB */
  batchBytes?: number
  /** Longest an event waits for others while the stream is being read, ms. @default 1_000 */
  flushMs?: number
  /** Shortest time between two inserts that are not full, ms. @default 250 */
  paceMs?: number
  /** How often streams are looked for and lag is measured, ms. @default 3_000 */
  pollMs?: number
  /** How often it is written down where handlers stand, ms: a broker made again from the archive repeats so much. @default 10_000 */
  floorsMs?: number
  /** How long another process waits before it takes over from one that died, ms; whole seconds. @default 5_000 */
  leaseMs?: number
  /** How long `stop()` tries to store what it has received, ms. @default 5_000 */
  stopMs?: number
  /** Who this process is, in the lease, for people. @default host/pid */
  holder?: string
  /** Replicas of the lease bucket, if it has to be made. @default 1 */
  replicas?: number
  /** `ensure` makes the lease bucket; with the others it has to be there (`allow_msg_ttl`, history 1). @default 'ensure' */
  topology?: 'ensure' | 'verify' | 'none'
}

export type ResolvedOptions = {
  readonly log: Logger
  readonly metrics: Metrics
  readonly limits: BatchLimits
  readonly times: FlushTimes
  readonly pollMs: number
  readonly floorsMs: number
  readonly leaseMs: number
  readonly stopMs: number
  readonly holder: string
  readonly bucket: BucketOptions
}

/** @throws ArchiveError ARCHIVE_INVALID_OPTIONS with every fault */
export function resolveOptions(given: ArchiveOptions): ResolvedOptions {
  const options: ArchiveOptions = given ?? {}
  const resolved: ResolvedOptions = {
    log: options.log ?? silentLogger,
    metrics: options.metrics ?? noMetrics,
    limits: { rows: options.batchRows ?? 10_000, bytes: options.batchBytes ?? 8 * 1024 ** 2 },
    times: { flushMs: options.flushMs ?? 1_000, paceMs: options.paceMs ?? 250 },
    pollMs: options.pollMs ?? 3_000,
    floorsMs: options.floorsMs ?? 10_000,
    leaseMs: options.leaseMs ?? 5_000,
    stopMs: options.stopMs ?? 5_000,
    holder: options.holder ?? thisHolder,
    bucket: { replicas: options.replicas ?? 1, mayCreate: (options.topology ?? 'ensure') === 'ensure' },
  }
  const faults = [
    ...whole('batchRows', resolved.limits.rows, 1),
    ...whole('batchBytes', resolved.limits.bytes, 1_024),
    ...whole('flushMs', resolved.times.flushMs, 0),
    ...whole('paceMs', resolved.times.paceMs, 0),
    ...whole('pollMs', resolved.pollMs, 10),
    ...whole('floorsMs', resolved.floorsMs, 10),
    ...whole('leaseMs', resolved.leaseMs, 1_000),
    ...whole('stopMs', resolved.stopMs, 0),
  ]
  if (isWhole(resolved.limits.rows, 100_001)) faults.push(`batchRows is ${resolved.limits.rows}; at most 100000`)
  if (faults.length > 0) throw new ArchiveError('ARCHIVE_INVALID_OPTIONS', faults.join('; '))
  return resolved
}

function whole(name: string, value: number, least: number): string[] {
  return isWhole(value, least) ? [] : [`${name} is ${shown(value)}; a whole number from ${least}`]
}
