import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { archiveStreams, auditArchive, queryArchiveSql, readKeptMesh } from '@malha/archive'
import {
  connectMesh,
  defineService,
  event,
  type Mesh,
  on,
  Reject,
  retry,
  seconds,
  stream,
  streamState,
} from '@malha/mesh'
import { type ClickHouseServer, startClickHouse } from '@malha/stack'
import { eventually, type TestServer, testServer } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { backUp, openOperations, rebuild, restore } from '../../src/index.ts'

const orders = stream('ORDERS', { subjects: ['order.>', 'bill.>'] })
const schema = z.object({ n: z.number() })
const placed = event('order.placed', { stream: orders, schema, key: ({ n }) => `o-${n % 10}` })
const billed = event('bill.sent', { stream: orders, schema })
const marked = event('bill.marked', { stream: orders, schema })

/** A partner that counts how often it was called for an order, and under which idempotency keys. */
class Partner {
  readonly calls = new Map<number, number>()
  readonly keys = new Map<number, Set<string>>()
  call(n: number, key: string): void {
    this.calls.set(n, (this.calls.get(n) ?? 0) + 1)
    this.keys.set(n, (this.keys.get(n) ?? new Set()).add(key))
  }
  /** Calls for orders below a number. */
  readonly below = (most: number): number =>
    [...this.calls].reduce((sum, [n, calls]) => sum + (n < most ? calls : 0), 0)
}

const partners = () => ({ bill: new Partner(), mark: new Partner(), count: new Partner(), tell: new Partner() })
type Partners = ReturnType<typeof partners>

const shop = ({ bill, mark, count, tell }: Partners) =>
  defineService('shop', {
    handlers: {
      bill: on(placed, { startFrom: 'all' }, ({ n }, ctx) => {
        bill.call(n, ctx.id)
        if (n % 10 === 9) throw new Reject('no such customer')
        ctx.publish(billed, { n })
      }),
      mark: on(placed, { startFrom: 'all', effects: 'once' }, ({ n }, ctx) => {
        mark.call(n, ctx.id)
        ctx.publish(marked, { n })
      }),
      count: on(placed, { startFrom: 'all', order: 'key', ackWaitMs: 2_000 }, ({ n }, ctx) => count.call(n, ctx.id)),
      tell: on(
        placed,
        { startFrom: 'all', retry: retry({ minDelayMs: seconds(60), maxDelayMs: seconds(90) }) },
        ({ n }, ctx) => {
          tell.call(n, ctx.id)
          if (n % 10 === 7) throw new Error('the other side is away')
        },
      ),
    },
    publishes: [billed, marked],
  })

const BEFORE = 60
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

const archiver = (mesh: Mesh) =>
  archiveStreams(
    { nats: mesh.nats, namespace: mesh.names.namespace },
    { url: clickhouse.url },
    { pollMs: 50, floorsMs: 100, leaseMs: 1_000 },
  )

/** A mesh that had done `BEFORE` orders, all of it written down, and went on until its broker was killed and its disk was lost. */
async function lostMesh(namespace: string, known: Partners, backup?: string): Promise<void> {
  const server = await testServer()
  const mesh = await connectMesh({ servers: server.url, name: 'before', namespace })
  const archive = archiver(mesh)
  await mesh.start(shop(known))
  for (let n = 0; n < BEFORE; n++) await mesh.publish(placed, { n })
  const last = await streamState(mesh.nats, mesh.names.stream('ORDERS'))
  expect(last.lastSeq).toBeGreaterThanOrEqual(BEFORE)
  await eventually(() => expectWritten(mesh, BEFORE), { timeoutMs: 30_000 })
  let n = BEFORE
  if (backup) {
    await backUp(mesh, { folder: backup })
    // What only the archive knows to be done, and to wait.
    for (; n < BEFORE + 20; n++) await mesh.publish(placed, { n })
    await eventually(() => expectWritten(mesh, n), { timeoutMs: 30_000 })
  }
  for (; n < BEFORE + 100; n++) await mesh.publish(placed, { n })
  await server[Symbol.asyncDispose]() // SIGKILL, and its folder goes
  await mesh.nats.close()
  await archive.stop()
}

/** That the archive has it that all orders so far are done. */
async function expectWritten({ nats, names }: Mesh, published: number): Promise<void> {
  const jsm = await jetstreamManager(nats)
  const name = names.stream('ORDERS')
  const last = await jsm.streams.getMessage(name, { last_by_subj: names.subject('order.>') })
  const { floors, partitions } = await readKeptMesh({ url: clickhouse.url })
  for (const who of ['bill', 'mark', 'tell']) {
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
async function expectWhole(server: TestServer, namespace: string, known: Partners): Promise<void> {
  await using mesh = await connectMesh({ servers: server.url, name: 'after', namespace })
  await using _ = archiver(mesh)
  const running = await mesh.start(shop(known))
  await mesh.publish(placed, { n: 5_000 })
  const archived = await numbersOf(mesh)
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
  })
  for (const { below } of [known.bill, known.mark, known.count]) expect(below(BEFORE)).toBe(BEFORE)
  expect([...known.tell.calls].filter(([n, calls]) => n < BEFORE && n % 10 !== 7 && calls !== 1)).toEqual([])
  for (const { keys } of Object.values(known)) for (const of of keys.values()) expect(of.size).toBe(1)
  const audit = { nats: mesh.nats, namespace, clickhouse: { url: clickhouse.url }, waitMs: 30_000 }
  const { totals } = await auditArchive(audit)
  expect(totals).toMatchObject({ missing: 0, conflicts: 0, duplicates: 0, ahead: 0, lost: 0, deadLetters: 0 })
  const twice = `SELECT event_id, count() AS times FROM archive.events FINAL WHERE stream = '${mesh.names.stream('ORDERS')}'
    AND event_type = 'order.placed' GROUP BY event_id HAVING times > 1`
  expect(await queryArchiveSql({ url: clickhouse.url }, twice)).toEqual([])
  using operations = await openOperations(mesh)
  await operations.letters.refresh()
  expect(operations.letters.list().total).toBeGreaterThanOrEqual(BEFORE / 10)
  await running.stop()
}

/** Of the orders that are archived. */
async function numbersOf({ names }: Mesh): Promise<number[]> {
  const sql = `SELECT DISTINCT JSONExtractInt(payload, 'n') AS n FROM archive.events
    WHERE stream = '${names.stream('ORDERS')}' AND event_type = 'order.placed' ORDER BY n`
  const rows = (await queryArchiveSql({ url: clickhouse.url }, sql)) as { n: string | number }[]
  return rows.map(({ n }) => Number(n)).filter((n) => n < 5_000)
}

test('a broker that lost its disk is rebuilt from the archive: nothing below a floor is called again, all above it is, and the audit is clean', async () => {
  const namespace = 'rebuilt'
  const known = partners()
  await lostMesh(namespace, known)
  await using server = await testServer()
  {
    await using mesh = await connectMesh({ servers: server.url, name: 'rebuild', namespace, topology: 'none' })
    const archive = { url: clickhouse.url }
    const plan = await rebuild(mesh, { archive, dryRun: true })
    expect(plan.streams.every(({ action }) => action === 'make')).toBe(true)
    expect(plan.waiting).toBeGreaterThanOrEqual(BEFORE / 10)
    expect(await (await jetstreamManager(mesh.nats)).streams.names().next()).toHaveLength(0)
    const brokenOff = rebuild(mesh, {
      archive,
      onProgress: ({ stream: name, isDone }) => {
        if (name.endsWith('ORDERS') && isDone) throw new Error('broken off')
      },
    })
    await expect(brokenOff).rejects.toThrow('broken off')
    const done = await rebuild(mesh, { archive })
    expect(done.streams.find(({ name }) => name.endsWith('ORDERS'))?.action).not.toBe('make')
    expect(await rebuild(mesh, { archive })).toMatchObject({ streams: done.streams.map(() => ({ action: 'none' })) })
  }
  await expectWhole(server, namespace, known)
}, 90_000)

test('what came after a backup is brought back from the archive once it is restored', async () => {
  const namespace = 'filled'
  const known = partners()
  const folder = join(dataDir, 'backup')
  await lostMesh(namespace, known, folder)
  await using server = await testServer()
  {
    await using mesh = await connectMesh({ servers: server.url, name: 'restore', namespace, topology: 'none' })
    await restore(mesh, { folder })
    const { streams } = await rebuild(mesh, { archive: { url: clickhouse.url } })
    expect(streams.find(({ name }) => name.endsWith('ORDERS'))).toMatchObject({ action: 'fill' })
  }
  await expectWhole(server, namespace, known)
}, 90_000)

test('nothing is rebuilt over a stream that was made anew, nor of a mesh that the archive does not know', async () => {
  await using server = await testServer()
  await using mesh = await connectMesh({ servers: server.url, name: 'early', namespace: 'rebuilt' })
  await (await mesh.start(shop(partners()))).stop()
  const archive = { url: clickhouse.url }
  await expect(rebuild(mesh, { archive })).rejects.toThrow(
    /OPERATIONS_REBUILD_REFUSED: .*rebuilt_ORDERS was made anew, and is empty: .*nats stream rm rebuilt_ORDERS.*nothing was done/,
  )
  await mesh.publish(placed, { n: 1 })
  await expect(rebuild(mesh, { archive })).rejects.toThrow(/rebuilt_ORDERS was made anew and has 1 events of its own/)
  await using other = await connectMesh({ servers: server.url, name: 'other', namespace: 'unknown', topology: 'none' })
  await expect(rebuild(other, { archive })).rejects.toThrow(/OPERATIONS_REBUILD_REFUSED: .*namespace "unknown"/)
}, 60_000)
