import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectMesh, decodeRecord, type Mesh, streamState } from '@malha/mesh'
import { eventually, testCluster, testServer, untilSettled } from '@malha/testing'
import { DeliverPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { headers } from '@nats-io/nats-core'
import { beforeAll, afterAll, expect, test } from 'vitest'
import { backUp, restore } from '../../src/index.ts'
import { readLater, storeLater } from '../../src/recovery/later.ts'
import { orders, partners, placed, publish, shop } from './scene.ts'

const WHO = ['bill', 'once', 'mark', 'count', 'tell'] as const
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'malha-backup-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test('a broker that lost its disk is restored from a backup taken under load: what was done before it is done once, what came during it is done', async () => {
  const known = partners()
  const to = join(folder, 'under-load')
  const first = await testServer()
  const before = await connectMesh({ servers: first.url, name: 'before' })
  await before.start(shop(known))
  await publish(before, 0, 100)
  await eventually(async () => {
    for (const who of WHO) expect(known[who].count()).toBe(100)
    // Acked, and written down by the handler that keeps order.
    await expectWritten(before)
  })
  for (const who of ['bill', 'once', 'mark', 'tell']) await untilSettled(before.nats, 'ORDERS', `shop_${who}_keyed`)
  const { epoch } = await streamState(before.nats, 'ORDERS')
  const over = new AbortController()
  const load = (async () => {
    let n = 100
    for (; !over.signal.aborted; n++) await before.publish(placed, { n })
    return n
  })()
  const manifest = await backUp(before, { folder: to })
  const copiedNames = manifest.streams.map(({ name }) => name)
  expect(copiedNames.filter((name) => name !== 'ADVISORIES')).toEqual([
    'KV_MESH_CHECKPOINTS',
    'KV_MESH_CONTRACTS',
    'KV_MESH_INBOX',
    'KV_MESH_PARTITIONS',
    'LANES_SHOP',
    'DELAYS',
    'MESH',
    'ORDERS',
    'DEAD_LETTERS',
  ])
  over.abort()
  await load
  await first[Symbol.asyncDispose]() // SIGKILL, and its folder goes
  await before.nats.close()
  const copied = manifest.streams.find(({ name }) => name === 'ORDERS')!.lastSeq
  const atTheKill = WHO.map((who) => known[who].count(100))
  expect(atTheKill).toEqual([100, 100, 100, 100, 100])

  await using second = await testServer()
  const after = await connectMesh({ servers: second.url, name: 'after', topology: 'none' })
  expect(await restore(after, { folder: to, dryRun: true })).toMatchObject({ streams: { length: copiedNames.length } })
  expect(await restore(after, { folder: to })).toMatchObject({ streams: { length: copiedNames.length } })
  expect(await restore(after, { folder: to })).toMatchObject({ streams: [] })
  expect(await streamState(after.nats, 'ORDERS')).toMatchObject({ epoch, lastSeq: copied })
  await after[Symbol.asyncDispose]()

  await using again = await connectMesh({ servers: second.url, name: 'again' })
  const running = await again.start(shop(known))
  await again.publish(placed, { n: 5_000 })
  const kept = await numbersIn(again)
  await eventually(
    () => {
      expect(WHO.flatMap((who) => kept.filter((n) => !known[who].calls.has(n)))).toEqual([])
    },
    { timeoutMs: 20_000 },
  )
  expect(WHO.map((who) => known[who].count(100))).toEqual(atTheKill)
  const waiting = await subjectsOf(again, 'LANES_SHOP', 'lane.shop.tell.at.>')
  expect(waiting.length).toBeGreaterThanOrEqual(10)
  await running.stop()
}, 60_000)

test('a backup is refused where it would be written over, restored where something is, or is not what was written', async () => {
  const to = join(folder, 'refused')
  await using server = await testServer()
  await using mesh = await connectMesh({ servers: server.url, name: 'mesh' })
  await (await mesh.start(shop(partners()))).stop()
  await backUp(mesh, { folder: to })
  await expect(backUp(mesh, { folder: to })).rejects.toThrow(/OPERATIONS_BACKUP_REFUSED: .*is a backup/)
  await expect(restore(mesh, { folder: to })).rejects.toThrow(
    /OPERATIONS_RESTORE_REFUSED: .*DEAD_LETTERS \(0 messages\).*nothing was done/,
  )
  await using other = await connectMesh({ servers: server.url, name: 'other', namespace: 'other' })
  await expect(restore(other, { folder: to })).rejects.toThrow(/OPERATIONS_RESTORE_REFUSED: .*namespace ""/)
  const data = join(to, 'ORDERS', 'stream.tar.s2')
  const bytes = await readFile(data)
  await writeFile(data, bytes.fill(0, 40, 50))
  await rm(join(to, 'MESH', 'stream.tar.s2'))
  await expect(restore(mesh, { folder: to })).rejects.toThrow(
    /OPERATIONS_BACKUP_UNREADABLE: .*MESH\/stream.tar.s2 cannot be read; ORDERS\/stream.tar.s2 is not what was written/,
  )
  await rm(join(to, 'manifest.json'))
  await expect(restore(mesh, { folder: to })).rejects.toThrow(/OPERATIONS_BACKUP_UNREADABLE: .*broken off/)
})

test('a restore is run again though a retry has come due on the lanes meanwhile, and says where a durable was made otherwise', async () => {
  const to = join(folder, 'due')
  await using server = await testServer()
  await using mesh = await connectMesh({ servers: server.url, name: 'mesh' })
  await (await mesh.start(shop(partners()))).stop()
  await publish(mesh, 0, 10)
  const head = headers()
  head.set('Nats-Schedule', `@at ${new Date(Date.now() + 2_000).toISOString()}`)
  head.set('Nats-Schedule-Target', mesh.names.laneTarget('shop', 'tell'))
  await jetstream(mesh.nats).publish('lane.shop.tell.at.1', '', { headers: head })
  await backUp(mesh, { folder: to })
  await using other = await testServer()
  await using after = await connectMesh({ servers: other.url, name: 'after', topology: 'none' })
  await restore(after, { folder: to })
  await eventually(async () => expect((await streamState(after.nats, 'LANES_SHOP')).lastSeq).toBe(2))
  expect(await restore(after, { folder: to })).toMatchObject({ streams: [] })

  const jsm = await jetstreamManager(after.nats)
  // As one that came due while its lane was copied.
  const due = await readLater(jsm, 'LANES_SHOP', 1)
  expect(due).toMatchObject([{ subject: mesh.names.laneTarget('shop', 'tell') }])
  await jsm.streams.purge('LANES_SHOP')
  await storeLater(after.nats, due)
  await eventually(async () =>
    expect(await readLater(jsm, 'LANES_SHOP', 3)).toMatchObject([{ headers: due[0]!.headers }]),
  )

  const { config } = await jsm.consumers.info('ORDERS', 'shop_bill_keyed')
  await jsm.consumers.delete('ORDERS', 'shop_bill_keyed')
  await jsm.consumers.add('ORDERS', { ...config, deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: 6 })
  await expect(restore(after, { folder: to })).rejects.toThrow(
    /OPERATIONS_RESTORE_FAILED: not all is as the backup says \(stream ORDERS: durable shop_bill_keyed has floor 5 for 0\)/,
  )
})

test('a backup of one server is restored on a cluster with three replicas, and one of the cluster on it again', async () => {
  const known = partners()
  await using one = await testServer()
  await using alone = await connectMesh({ servers: one.url, name: 'alone' })
  const running = await alone.start(shop(known))
  await publish(alone, 0, 20)
  await eventually(() => expect(WHO.map((who) => known[who].count())).toEqual([20, 20, 20, 20, 20]))
  await running.stop()
  const { epoch, lastSeq } = await streamState(alone.nats, 'ORDERS')
  await backUp(alone, { folder: join(folder, 'one') })

  await using cluster = await testCluster()
  await using mesh = await connectMesh({ servers: cluster.url.split(','), name: 'three', replicas: 3 })
  await restore(mesh, { folder: join(folder, 'one'), replicas: 3 })
  expect(await streamState(mesh.nats, 'ORDERS')).toMatchObject({ epoch, lastSeq })
  await backUp(mesh, { folder: join(folder, 'three') })
  const jsm = await jetstreamManager(mesh.nats)
  for await (const { config } of jsm.streams.list()) {
    expect(config.num_replicas).toBe(3)
    await jsm.streams.delete(config.name)
  }
  await restore(mesh, { folder: join(folder, 'three') })
  expect(await streamState(mesh.nats, 'ORDERS')).toMatchObject({ epoch, lastSeq })
}, 60_000)

/** That the records of the ordered handler say that all is settled. */
async function expectWritten({ nats }: Mesh): Promise<void> {
  const jsm = await jetstreamManager(nats)
  for (let partition = 0; partition < orders.partitions; partition++) {
    const last = await jsm.streams.getMessage('ORDERS', { last_by_subj: `order.placed.${partition}.*` })
    const subject = `$KV.MESH_PARTITIONS.shop_count.at.${partition}`
    const record = await jsm.streams.getMessage('KV_MESH_PARTITIONS', { last_by_subj: subject })
    const { read, running, open } = decodeRecord(record!.string())
    expect(running.length + open.length).toBe(0)
    expect(read).toBeGreaterThanOrEqual(last?.seq ?? 0)
  }
}

async function subjectsOf({ nats }: Mesh, name: string, filter: string): Promise<string[]> {
  const info = await (await jetstreamManager(nats)).streams.info(name, { subjects_filter: filter })
  return Object.keys(info.state.subjects ?? {})
}

/** Of the orders that a stream holds. */
async function numbersIn({ nats }: Mesh): Promise<number[]> {
  const jsm = await jetstreamManager(nats)
  const { state } = await jsm.streams.info('ORDERS')
  const found: number[] = []
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const message = await jsm.streams.getMessage('ORDERS', { seq })
    if (message?.subject.startsWith('order.')) found.push(message.json<{ n: number }>().n)
  }
  return found
}
