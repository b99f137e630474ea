import type { ClickHouseClient } from '@clickhouse/client'
import { epochOf, type LeaseBucket, type SeenHolder } from '@malha/mesh'
import type { JetStreamManager } from '@nats-io/jetstream'
import { reasonOf } from '../errors.ts'
import { keyOf } from '../lease/lease-bucket.ts'
import { type Lease, tryLease } from '../lease/lease.ts'
import type { ArchiveMetrics } from '../metrics.ts'
import type { ResolvedOptions } from '../options.ts'
import { pause } from '../pause.ts'
import { type Sample, takeSample } from './sample.ts'

/*
 * Writes down, every `floorsMs`, where handlers stand, so that a broker can be made again from the archive.
 * K1  A sample is written only when every stream is archived up to where it was when the sample was taken: below an archived floor
 *     nothing is done whose outcome is not archived.
 * K2  One process writes, by a lease.
 */

export type FloorKeeperDeps = {
  readonly jsm: JetStreamManager
  readonly leases: LeaseBucket
  readonly client: ClickHouseClient
  readonly namespace: string
  readonly options: ResolvedOptions
  readonly metrics: Pick<ArchiveMetrics, 'floorsAge'>
  readonly ensureSchema: () => Promise<void>
}

/** Runs until `signal`; what fails is tried again, and told to the log once. */
export async function keepFloors(deps: FloorKeeperDeps, signal: AbortSignal): Promise<void> {
  const { leases, options } = deps
  const seen: SeenHolder = {}
  while (!signal.aborted) {
    const asked = { key: 'floors', ttlMs: options.leaseMs, holder: options.holder }
    const lease = await tryLease(leases, asked, seen).catch(() => undefined)
    if (!lease) {
      await pause(options.leaseMs / 2, signal)
      continue
    }
    await keep(deps, lease, signal)
    await lease.release()
  }
}

async function keep(deps: FloorKeeperDeps, lease: Lease, signal: AbortSignal): Promise<void> {
  const { options, namespace, jsm, metrics } = deps
  const ended = AbortSignal.any([signal, lease.lost])
  let told = ''
  let before = { text: '', atMs: 0 }
  let freshAt = performance.now()
  while (!ended.aborted) {
    try {
      const sampledAt = performance.now()
      const sample = await takeSample(jsm, namespace)
      const text = textOf(sample)
      // Written again all the same now and then: the tables may have been made anew.
      const isKnown = text === before.text && sample.atMs - before.atMs < AGAIN_MS
      if (!isKnown && (await isReached(deps, sample, ended))) {
        await deps.ensureSchema()
        lease.assertHeld()
        await record(deps.client, sample)
        before = { text, atMs: sample.atMs }
      }
      if (text === before.text) freshAt = sampledAt
    } catch (error) {
      const reason = reasonOf(error)
      if (reason !== told && !ended.aborted)
        options.log.warn(
          { reason },
          'archive: where handlers stand is not written down; a lost broker would repeat more',
        )
      told = reason
    }
    metrics.floorsAge.set({}, (performance.now() - freshAt) / 1000)
    await pause(options.floorsMs, ended)
  }
  metrics.floorsAge.set({}, 0)
}

const AGAIN_MS = 60_000

/** What would be written, but for its time. */
const textOf = ({ streams, floors, partitions }: Sample): string =>
  JSON.stringify([streams.map(({ info }) => [info.config, epochOf(info), info.state.last_seq]), floors, partitions])

/** Upholds K1. False where that takes longer than the next sample, or at the end. */
async function isReached({ leases, options }: FloorKeeperDeps, sample: Sample, signal: AbortSignal): Promise<boolean> {
  const waited = sample.streams.filter(({ info, isArchived }) => isArchived && info.state.last_seq > 0)
  const deadline = performance.now() + Math.max(options.floorsMs, 30_000)
  for (const { info } of waited) {
    const key = keyOf('position', info.config.name)
    for (;;) {
      const entry = await leases.kv.get(key)
      const at = entry?.operation === 'PUT' ? entry.json<{ epoch: number; seq: number }>() : undefined
      if (at?.epoch === epochOf(info) && at.seq >= info.state.last_seq) break
      if (signal.aborted || performance.now() > deadline) return false
      await pause(Math.min(options.pollMs, 500), signal)
    }
  }
  return true
}

async function record(client: ClickHouseClient, { atMs, streams, floors, partitions }: Sample): Promise<void> {
  const at = new Date(atMs).toISOString().replace('T', ' ').replace('Z', '')
  const insert = async (table: string, columns: [string, ...string[]], values: unknown[][]): Promise<void> => {
    if (values.length === 0) return
    const clickhouse_settings = { async_insert: 0 } as const
    const all = values.map((row) => [...row, at])
    const named = [...columns, 'recorded_at'] as [string, ...string[]]
    await client.insert({ table, columns: named, values: all, format: 'JSONCompactEachRow', clickhouse_settings })
  }
  await insert(
    'archive.streams',
    ['stream', 'epoch', 'config', 'last_seq'],
    streams.map(({ info }) => [info.config.name, epochOf(info), JSON.stringify(info.config), info.state.last_seq]),
  )
  await insert(
    'archive.partitions',
    ['bucket', 'key', 'value'],
    partitions.map(({ bucket, key, value }) => [bucket, key, value]),
  )
  // Last: who finds a floor finds the rest.
  await insert(
    'archive.floors',
    ['stream', 'epoch', 'durable', 'floor', 'waiting', 'config'],
    floors.map((each) => [
      each.stream,
      each.epoch,
      each.durable,
      each.floor,
      each.waiting,
      JSON.stringify(each.config),
    ]),
  )
}
