import { archiveStreams, auditArchive, queryArchiveSql, readKeptMesh, type RunningArchive } from '@malha/archive'
import { connectMesh, type Mesh, streamState } from '@malha/mesh'
import { eventually, testServer } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect } from 'vitest'
import { backUp, openOperations } from '../../src/index.ts'
import { note, type Partners, placed, publish, shop } from './scene.ts'

/** Orders that were done, and written down as done, before the broker was lost. */
export const BEFORE = 30

/** Each look is some queries, and many reads of the broker. */
const WRITTEN = { timeoutMs: 180_000, intervalMs: 250 }

/** Which mesh, and where its archive is. */
export type Lost = { clickhouse: string; namespace: string; known: Partners }

export const archiver = (mesh: Mesh, url: string): RunningArchive =>
  archiveStreams(
    { nats: mesh.nats, namespace: mesh.names.namespace },
    { url },
    { pollMs: 200, floorsMs: 300, leaseMs: 1_000 },
  )

/** A mesh that had done `BEFORE` orders, all of it written down, and went on until its broker was killed and its disk was lost. */
export async function lostMesh(
  { clickhouse, namespace, known }: Lost,
  { backup, notes = 0 }: { backup?: string; notes?: number } = {},
): Promise<void> {
  const server = await testServer()
  const mesh = await connectMesh({ servers: server.url, name: 'before', namespace })
  const archive = archiver(mesh, clickhouse)
  await mesh.start(shop(known))
  await note(mesh, notes)
  await publish(mesh, 0, BEFORE)
  const last = await streamState(mesh.nats, mesh.names.stream('ORDERS'))
  expect(last.lastSeq).toBeGreaterThanOrEqual(BEFORE)
  await eventually(() => expectWritten(mesh, clickhouse, BEFORE), WRITTEN)
  let n = BEFORE
  if (backup) {
    await backUp(mesh, { folder: backup })
    // What only the archive knows to be done, and to wait.
    for (; n < BEFORE + 10; n++) await mesh.publish(placed, { n })
    await eventually(() => expectWritten(mesh, clickhouse, n), WRITTEN)
  }
  for (; n < BEFORE + 50; n++) await mesh.publish(placed, { n })
  await server[Symbol.asyncDispose]() // SIGKILL, and its folder goes
  await mesh.nats.close()
  await archive.stop()
}

/** That the archive has it that all orders so far are done. */
async function expectWritten({ nats, names }: Mesh, url: string, published: number): Promise<void> {
  const jsm = await jetstreamManager(nats)
  const name = names.stream('ORDERS')
  const last = await jsm.streams.getMessage(name, { last_by_subj: names.subject('order.>') })
  const { floors, partitions } = await readKeptMesh({ url })
  for (const who of ['bill', 'once', 'mark', 'tell']) {
    const durable = names.durable('shop', who, 'keyed')
    expect(floors.find((one) => one.durable === durable)?.floor).toBeGreaterThanOrEqual(last!.seq)
  }
  const lane = floors.find((one) => one.durable === names.durable('shop', 'tell') && one.stream === names.lanes('shop'))
  expect(lane?.waiting).toHaveLength(published / 10)
  const records = partitions.filter(
    ({ bucket, key }) => bucket === names.bucket('MESH_PARTITIONS') && /at\.\d+$/.test(key),
  )
  expect(records.length).toBeGreaterThan(0)
  for (const { key, value } of records) {
    const subject = names.subject(`order.placed.${key.split('.').at(-1)}.*`)
    const newest = await jsm.streams.getMessage(name, { last_by_subj: subject })
    const { read, running, open } = JSON.parse(value) as { read: number; running: string; open: unknown[] }
    expect(`${running}${open.length}`).toBe('0')
    expect(read).toBeGreaterThanOrEqual(newest?.seq ?? 0)
  }
}

/** Starts the mesh again and asserts what must hold of it, whatever brought it back. */
export async function expectWhole(server: string, { clickhouse, namespace, known }: Lost): Promise<void> {
  await using mesh = await connectMesh({ servers: server.split(','), name: 'after', namespace })
  await using _ = archiver(mesh, clickhouse)
  const running = await mesh.start(shop(known))
  await mesh.publish(placed, { n: 5_000 })
  const archived = await numbersOf(mesh, clickhouse)
  expect(archived.length).toBeGreaterThanOrEqual(BEFORE)
  await eventually(
    () => {
      for (const { calls } of Object.values(known))
        expect([...archived, 5_000].filter((n) => !calls.has(n))).toEqual([])
    },
    { timeoutMs: 20_000 },
  )
  // What waited for its retry waits, or is tried again: below the floor and above it.
  const jsm = await jetstreamManager(mesh.nats)
  await eventually(async () => {
    const { state } = await jsm.streams.info(mesh.names.lanes('shop'), { subjects_filter: '>' })
    const waiting = Object.keys(state.subjects ?? {}).filter((subject) => subject.includes('.tell.at.'))
    expect(waiting).toHaveLength(archived.filter((n) => n % 10 === 7).length)
  }, WRITTEN)
  for (const one of [known.bill, known.mark, known.count]) expect(one.count(BEFORE)).toBe(BEFORE)
  expect([...known.tell.calls].filter(([n, calls]) => n < BEFORE && n % 10 !== 7 && calls !== 1)).toEqual([])
  for (const { keys } of Object.values(known)) for (const of of keys.values()) expect(of.size).toBe(1)
  const audit = { nats: mesh.nats, namespace, clickhouse: { url: clickhouse }, waitMs: 30_000 }
  const { totals } = await auditArchive(audit)
  expect(totals).toMatchObject({ missing: 0, conflicts: 0, duplicates: 0, ahead: 0, lost: 0, deadLetters: 0 })
  const twice = `SELECT event_id, count() AS times FROM archive.events FINAL WHERE stream = '${mesh.names.stream('ORDERS')}'
    AND event_type IN ('order.placed', 'order.noted') GROUP BY event_id HAVING times > 1`
  expect(await queryArchiveSql({ url: clickhouse }, twice)).toEqual([])
  using operations = await openOperations(mesh)
  await operations.letters.refresh()
  expect(operations.letters.list().total).toBeGreaterThanOrEqual(BEFORE / 10)
  await running.stop()
}

/** Of the orders that are archived. */
async function numbersOf({ names }: Mesh, url: string): Promise<number[]> {
  const sql = `SELECT DISTINCT JSONExtractInt(payload, 'n') AS n FROM archive.events
    WHERE stream = '${names.stream('ORDERS')}' AND event_type = 'order.placed' ORDER BY n`
  const rows = (await queryArchiveSql({ url }, sql)) as { n: string | number }[]
  return rows.map(({ n }) => Number(n)).filter((n) => n < 5_000)
}
