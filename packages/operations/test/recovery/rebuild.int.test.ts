import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readKeptMesh } from '@malha/archive'
import { connectMesh, LANE_HEADER, type Mesh, streamState } from '@malha/mesh'
import { type ClickHouseServer, spawnChild, startClickHouse } from '@malha/stack'
import { eventually, testServer } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { rebuild, restore } from '../../src/index.ts'
import { durablesOf } from '../../src/recovery/durables.ts'
import { archiver, BEFORE, expectWhole, lostMesh } from './lost-mesh.ts'
import { partners, placed, publish, seller } from './scene.ts'

let dataDir: string
let clickhouse: ClickHouseServer
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'malha-rebuild-'))
  const { CLICKHOUSE_URL: _, ...env } = process.env
  clickhouse = await startClickHouse({ dataDir, env })
})
afterAll(async () => {
  await clickhouse.stop()
  await rm(dataDir, { recursive: true, force: true, maxRetries: 5 })
})

/** Killed when all events of `ORDERS` are stored. */
async function killedRebuild(natsUrl: string, namespace: string): Promise<void> {
  const { PATH, NODE_COMPILE_CACHE } = process.env
  const child = spawnChild({
    command: process.execPath,
    args: [fileURLToPath(new URL('killed-rebuild.ts', import.meta.url))],
    env: { PATH, NODE_COMPILE_CACHE, NATS_URL: natsUrl, CLICKHOUSE_URL: clickhouse.url, NAMESPACE: namespace },
  })
  expect(await child.exited).toMatchObject({ signal: 'SIGKILL' })
}

test('a broker that lost its disk is rebuilt from the archive, though that was killed and broken off, and from a backup and the archive alike: nothing below a floor is called again, all above it is, and the audit is clean', async () => {
  const namespace = 'rebuilt'
  const lost = { clickhouse: clickhouse.url, namespace, known: partners() }
  const folder = join(dataDir, 'backup')
  await lostMesh(lost, { backup: folder })
  const archive = { url: clickhouse.url }
  await using server = await testServer()
  let alone: object
  {
    await using mesh = await connectMesh({ servers: server.url, name: 'rebuild', namespace, topology: 'none' })
    const plan = await rebuild(mesh, { archive, dryRun: true })
    expect(plan.streams.every(({ action }) => action === 'make')).toBe(true)
    expect(plan.waiting).toBeGreaterThanOrEqual(BEFORE / 10)
    const jsm = await jetstreamManager(mesh.nats)
    expect(await jsm.streams.names().next()).toHaveLength(0)
    const fillers = async (): Promise<string[]> => {
      const { state } = await jsm.streams.info('rebuilt_ORDERS', { subjects_filter: '>' })
      return Object.keys(state.subjects ?? {}).filter((subject) => subject.includes('._rebuilt.'))
    }
    await killedRebuild(server.url, namespace)
    expect(await fillers()).not.toEqual([])
    const brokenOff = rebuild(mesh, {
      archive,
      onProgress: ({ stream: name, isDone }) => {
        if (name.endsWith('ORDERS') && isDone) throw new Error('broken off')
      },
    })
    await expect(brokenOff).rejects.toThrow('broken off')
    expect(await fillers()).toEqual([])
    const done = await rebuild(mesh, { archive })
    expect(done.streams.find(({ name }) => name.endsWith('ORDERS'))?.action).not.toBe('make')
    expect(await rebuild(mesh, { archive })).toMatchObject({ streams: done.streams.map(() => ({ action: 'none' })) })
    alone = await standing(mesh)
  }
  {
    await using restored = await testServer()
    await using mesh = await connectMesh({ servers: restored.url, name: 'restore', namespace, topology: 'none' })
    await restore(mesh, { folder })
    expect(await standing(mesh)).not.toEqual(alone)
    const { streams } = await rebuild(mesh, { archive })
    expect(streams.find(({ name }) => name.endsWith('ORDERS'))).toMatchObject({ action: 'fill' })
    expect(await standing(mesh)).toEqual(alone)
  }
  await expectWhole(server.url, lost)
}, 120_000)

/** Where the streams, the durables and the lanes of a mesh stand, whatever brought them back. */
async function standing({ nats, names }: Mesh): Promise<object> {
  const jsm = await jetstreamManager(nats)
  const streams: object[] = []
  for (const name of ['ORDERS', 'MESH', 'DEAD_LETTERS'].map((one) => names.stream(one))) {
    const { epoch, lastSeq } = await streamState(nats, name)
    const { state } = await jsm.streams.info(name, { subjects_filter: '>' })
    const events = Object.entries(state.subjects ?? {}).filter(([subject]) => !subject.includes('_done.'))
    const floors = (await durablesOf(jsm, name)).map(({ config, floor }) => [config.durable_name, floor])
    streams.push({ name, epoch, lastSeq, events: Object.fromEntries(events), floors: Object.fromEntries(floors) })
  }
  const lane = names.lanes('shop')
  const waiting: string[] = []
  const { state } = await jsm.streams.info(lane)
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const message = await jsm.streams.getMessage(lane, { seq })
    if (message) waiting.push(message.header.get(LANE_HEADER.seq))
  }
  return { streams, waiting: waiting.toSorted() }
}

test('a number behind the last event that the archive has is not given again, by a rebuild that was killed there either', async () => {
  const namespace = 'marks'
  const archive = { url: clickhouse.url }
  {
    await using server = await testServer()
    await using mesh = await connectMesh({ servers: server.url, name: 'before', namespace })
    await using _ = archiver(mesh, clickhouse.url)
    await mesh.provision(seller)
    await publish(mesh, 0, 20)
    const isWritten = async (): Promise<boolean> => {
      const { streams } = await readKeptMesh(archive)
      return streams.find(({ stream }) => stream === 'marks_ORDERS')?.lastSeq === 20
    }
    await eventually(isWritten, { intervalMs: 250 })
  }
  // As if they had been done-markers, which the archive has not.
  const statement = `ALTER TABLE archive.events DELETE WHERE stream = 'marks_ORDERS' AND seq > 15 SETTINGS mutations_sync = 2`
  expect((await fetch(clickhouse.url, { method: 'POST', body: statement })).status).toBe(200)
  await using server = await testServer()
  await killedRebuild(server.url, namespace)
  await using mesh = await connectMesh({ servers: server.url, name: 'rebuild', namespace, topology: 'none' })
  const lastSeq = async (): Promise<number> => (await streamState(mesh.nats, 'marks_ORDERS')).lastSeq
  expect(await lastSeq()).toBe(15)
  await rebuild(mesh, { archive })
  expect(await lastSeq()).toBe(20)
  await publish(mesh, 20, 21)
  expect(await lastSeq()).toBe(21)
}, 60_000)

test('nothing is rebuilt over a stream that was made anew, nor of a mesh that the archive does not know', async () => {
  await using server = await testServer()
  await using mesh = await connectMesh({ servers: server.url, name: 'early', namespace: 'rebuilt' })
  await mesh.provision(seller)
  const archive = { url: clickhouse.url }
  await expect(rebuild(mesh, { archive })).rejects.toThrow(
    /OPERATIONS_REBUILD_REFUSED: .*rebuilt_ORDERS was made anew, and is empty: .*nats stream rm rebuilt_ORDERS.*nothing was done/,
  )
  await mesh.publish(placed, { n: 1 })
  await expect(rebuild(mesh, { archive })).rejects.toThrow(/rebuilt_ORDERS was made anew and has 1 events of its own/)
  await using other = await connectMesh({ servers: server.url, name: 'other', namespace: 'unknown', topology: 'none' })
  await expect(rebuild(other, { archive })).rejects.toThrow(/OPERATIONS_REBUILD_REFUSED: .*namespace "unknown"/)
}, 60_000)
