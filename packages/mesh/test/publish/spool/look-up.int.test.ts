import { silentLogger } from '@malha/mesh'
import { eventually, freeze, type TestMesh, testMesh, testServer } from '@malha/testing'
import { expect, test } from 'vitest'
import { Spool } from '../../../src/publish/spool/spool.ts'
import { linesOf, noted, order, orders, shop, storedIn, tempFolder } from './spool-kit.ts'

const NOWHERE = 'nats://127.0.0.1:1'

/** Puts so many events of others on the subject that all `order.noted` share. */
async function crowd({ mesh }: TestMesh, count: number): Promise<void> {
  for (let from = 0; from < count; from += 1000)
    await Promise.all(Array.from({ length: 1000 }, (_, n) => mesh.publish(noted, order(from + n))))
}

/** Counts what is read back from the stream of orders. */
function readsOf({ nats, mesh }: TestMesh): { readonly count: number } {
  const reads = { count: 0 }
  nats.subscribe(`$JS.API.STREAM.MSG.GET.${mesh.names.stream(orders)}`, { callback: () => void reads.count++ })
  return reads
}

/** Queues events, and says in the file that they may have been sent: as a process that died while it sent them. */
async function sentMaybe(t: TestMesh, file: string, count: number, floor = 0): Promise<void> {
  const away = await t.connect({ servers: NOWHERE, spool: { file } })
  for (let n = 0; n < count; n++) await away.publish(noted, order(n), { id: `p${n}` })
  await away.close()
  const spool = await Spool.open({ file }, silentLogger)
  spool.settle(t.mesh.names.stream(orders), [], { sentTo: count, floor })
  spool.close()
}

test('the first event of a connection that has no answer is not looked for among all that its subject holds', async () => {
  using folder = tempFolder()
  await using server = await testServer()
  await using t = await testMesh({ server })
  await t.mesh.provision(shop)
  await crowd(t, 2000)
  const mesh = await t.connect({ spool: { file: folder.file } })
  const reads = readsOf(t)
  {
    using _frozen = await freeze(server)
    expect((await mesh.publish(noted, order(0), { id: 'p0' })).queued).toBe(true)
  }
  await eventually(() => expect(mesh.queued).toBe(0), { timeoutMs: 20_000 })
  expect(reads.count).toBeLessThan(50)
  expect((await storedIn(t, orders)).filter(({ id }) => id === 'p0')).toHaveLength(1)
})

test('events that may have been sent are looked for in one reading of their subject', async () => {
  using folder = tempFolder()
  await using t = await testMesh()
  await t.mesh.provision(shop)
  await sentMaybe(t, folder.file, 5)
  await crowd(t, 1000)
  for (const n of [0, 1, 2]) await t.mesh.publish(noted, order(n), { id: `p${n}` })
  const reads = readsOf(t)
  const mesh = await t.connect({ spool: { file: folder.file } })
  await eventually(() => expect(mesh.queued).toBe(0), { timeoutMs: 20_000 })
  expect(reads.count).toBeLessThan(2 * 1000)
  const ids = (await storedIn(t, orders)).map(({ id }) => id)
  expect(ids.slice(1000)).toStrictEqual(['p0', 'p1', 'p2', 'p3', 'p4'])
})

test('one that is found stored says where its stream ends, so the next is not looked for among all that came before', async () => {
  using folder = tempFolder()
  await using server = await testServer()
  await using t = await testMesh({ server })
  await t.mesh.provision(shop)
  await crowd(t, 1000)
  await t.mesh.publish(noted, order(0), { id: 'p0' })
  await sentMaybe(t, folder.file, 1, 1000)
  const mesh = await t.connect({ spool: { file: folder.file } })
  await eventually(() => expect(mesh.queued).toBe(0))
  const reads = readsOf(t)
  {
    using _frozen = await freeze(server)
    expect((await mesh.publish(noted, order(1), { id: 'p1' })).queued).toBe(true)
  }
  await eventually(() => expect(mesh.queued).toBe(0), { timeoutMs: 20_000 })
  expect(reads.count).toBeLessThan(50)
})

test('closing does not wait until the look-up has read everything', async () => {
  using folder = tempFolder()
  await using t = await testMesh()
  await t.mesh.provision(shop)
  await sentMaybe(t, folder.file, 1)
  await crowd(t, 3000)
  const reads = readsOf(t)
  const mesh = await t.connect({ spool: { file: folder.file } })
  await eventually(() => expect(reads.count).toBeGreaterThan(10), { intervalMs: 1 })
  await mesh.close()
  expect(reads.count).toBeLessThan(2000)
})

test('a user who may not read streams publishes all the same; what must be looked up waits, and the log names the permission', async () => {
  using folder = tempFolder()
  const config = `accounts { A { jetstream: enabled, users [
    { user: all, password: all },
    { user: few, password: few, permissions { publish { allow: ">", deny: "$JS.API.STREAM.MSG.GET.>" } } }
  ] } }
no_auth_user: all`
  await using server = await testServer({ config })
  await using t = await testMesh({ server })
  await t.mesh.provision(shop)
  const few = { user: 'few', password: 'few' }
  const direct = await t.connect({ ...few, spool: { file: `${folder.file}.direct` } })
  expect(await direct.publish(noted, order(1))).toMatchObject({ seq: 1 })
  await sentMaybe(t, folder.file, 1)
  const { lines, logger } = linesOf()
  const mesh = await t.connect({ ...few, spool: { file: folder.file }, logger })
  await eventually(() =>
    expect(lines.map(({ err }) => String(err)).join()).toMatch(/MESH_PUBLISH_REFUSED.*\$JS\.API\.STREAM\.MSG\.GET/),
  )
  expect(mesh.queued).toBe(1)
})
