import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { archiveStreams, type RunningArchive } from '@malha/archive'
import { prometheusMetrics, serveHealth } from '@malha/telemetry'
import { eventually, testServer } from '@malha/testing'
import { jetstreamManager, type StreamConfig } from '@nats-io/jetstream'
import { connect, headers } from '@nats-io/transport-node'
import { expect } from 'vitest'
import { type TestClickHouse, testClickHouse } from '../../../packages/archive/test/support/servers.ts'
import type { Lab } from './fault.ts'

const NANOS = 1e9

/** Archives of one ClickHouse that goes away; one of them has a broker that does so, too. */
export async function archiveLab(url: string): Promise<Lab> {
  await using opening = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'malha-lab-'))
  opening.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const clickhouse = opening.use(await testClickHouse(folder))
  const away = opening.use(await testServer())
  const of = (broker: string, namespace: string, config: Partial<StreamConfig>): Promise<Archiving> =>
    archiving({ broker, namespace, config, clickhouse })
  // Events leave the first by age, the second by number.
  const aging = opening.use(await of(url, 'aging', { max_age: 60 * NANOS, duplicate_window: 10 * NANOS }))
  const short = opening.use(await of(url, 'short', { max_msgs: 10 }))
  const odd = opening.use(await of(url, 'odd', {}))
  const alone = opening.use(await of(away.url, 'alone', {}))
  const rest = opening.move()
  return {
    targets: [aging, short, odd, alone].map(({ target }) => target),
    faults: [
      { alerts: ['ArchiveWithoutWriter'], begin: () => away.kill(), end: () => away.start() },
      {
        alerts: ['ArchiveGap', 'ArchiveDeadLetters', 'ArchiveBehind', 'ArchiveRunningOut', 'ArchiveLosingSoon'],
        async begin() {
          // An archive that stood still for longer than the stream keeps its events, twice.
          for (let round = 0; round < 2; round += 1) {
            await short.pause(() => short.publish(50))
            await short.settled()
          }
          // Somebody has changed the table, and two events do not fit any more.
          await clickhouse.run('ALTER TABLE archive.events MODIFY COLUMN producer LowCardinality(FixedString(64))')
          for (let round = 0; round < 2; round += 1) {
            await odd.publish(1, 'p'.repeat(100))
            await odd.settled()
          }
          await clickhouse.kill()
          await aging.publish(5)
        },
        async end() {
          await clickhouse.start()
          await clickhouse.run('ALTER TABLE archive.events MODIFY COLUMN producer LowCardinality(String)')
        },
      },
    ],
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  }
}

interface Archiving extends AsyncDisposable {
  target: string
  /** @param producer their `ce-source` */
  publish(count: number, producer?: string): Promise<void>
  /** Stops the archive, and starts it again after something was done. */
  pause(meanwhile: () => Promise<void>): Promise<void>
  /** Resolves when ClickHouse has all of the stream: as events, as what it refused, or as what was lost. */
  settled(): Promise<void>
}

type Options = { broker: string; namespace: string; config: Partial<StreamConfig>; clickhouse: TestClickHouse }

/** The archive of one stream. */
async function archiving({ broker, namespace, config, clickhouse }: Options): Promise<Archiving> {
  await using opening = new AsyncDisposableStack()
  const metrics = prometheusMetrics({ service: 'archive', version: '1.0.0' })
  const nats = await connect({ servers: broker, maxReconnectAttempts: -1, reconnectTimeWait: 100 })
  opening.defer(() => nats.close())
  const jsm = await jetstreamManager(nats)
  const name = `${namespace}_LAB`
  await jsm.streams.add({ name, subjects: [namespace], metadata: { 'malha.format': '1' }, ...config })
  const options = { pollMs: 200, leaseMs: 1000, stopMs: 500, metrics }
  const begin = (): RunningArchive => archiveStreams({ nats, namespace }, { url: clickhouse.url }, options)
  let running = begin()
  opening.defer(() => running.stop())
  const settled = (): Promise<void> =>
    eventually(async () => {
      const { state } = await jsm.streams.info(name)
      const [row] = await clickhouse.sql<{ last: number }>(
        `SELECT toUInt32(max(last)) AS last FROM (SELECT max(seq) AS last FROM archive.events WHERE stream = '${name}'
          UNION ALL SELECT max(seq) FROM archive.dead_letters WHERE stream = '${name}'
          UNION ALL SELECT max(last_seq) FROM archive.gaps WHERE stream = '${name}')`,
      )
      expect(row?.last).toBe(state.last_seq)
    })
  const publish = async (count: number, producer = 'lab'): Promise<void> => {
    const head = headers()
    head.set('ce-source', producer)
    for (let n = 0; n < count; n += 1) await jsm.jetstream().publish(namespace, '{}', { headers: head })
  }
  await publish(1)
  await settled()
  const health = opening.use(await serveHealth({ port: 0, metrics }))
  const rest = opening.move()
  return {
    target: `127.0.0.1:${health.port}`,
    publish,
    settled,
    async pause(meanwhile) {
      await running.stop()
      await meanwhile()
      running = begin()
    },
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  }
}
