import { jetstreamManager } from '@nats-io/jetstream'
import { silentLogger } from '@malha/mesh'
import { eventually, testMesh, testServer } from '@malha/testing'
import { expect, test, vi } from 'vitest'
import { Spool } from '../../../src/publish/spool/spool.ts'
import { audited, linesOf, noted, order, orders, placed, shop, storedIn, tempFolder } from './spool-kit.ts'

const NOWHERE = 'nats://127.0.0.1:1'

test('poisoned heads do not stop the rest: each becomes a dead letter with its reason, and a record', async () => {
  using folder = tempFolder()
  await using server = await testServer({ config: 'max_payload: 65536' })
  await using t = await testMesh({ server })
  await t.mesh.provision(shop)
  const jsm = await jetstreamManager(t.nats)
  // Since then somebody narrowed the stream: it holds no order.noted any more.
  await jsm.streams.update(t.mesh.names.stream(orders), { subjects: [`${t.namespace}.order.placed.>`] })
  await t.mesh.publish(placed, { ...order(0), text: 'first' }, { id: 'taken' })
  await server.kill()
  const { lines, logger } = linesOf()
  const mesh = await t.connect({ spool: { file: folder.file }, logger })
  const queued = [
    // Nobody knew yet what this server takes.
    mesh.publish(placed, { ...order(1), text: 'x'.repeat(100_000) }, { id: 'too-large' }),
    mesh.publish(noted, order(2), { id: 'no-subject' }),
    mesh.publish(placed, { ...order(0), text: 'second' }, { id: 'taken' }),
    mesh.publish(placed, order(4), { id: 'p4' }),
    mesh.publish(audited, order(5), { id: 'a5' }),
  ]
  for (const answer of await Promise.all(queued)) expect(answer.queued).toBe(true)
  await server.start()
  await eventually(async () => expect((await storedIn(t, orders)).map(({ id }) => id)).toStrictEqual(['taken', 'p4']))
  await eventually(async () => expect(await storedIn(t, 'AUDITS')).toHaveLength(1))
  await eventually(async () => expect(await storedIn(t, 'MESH')).toHaveLength(3))

  const letters = await storedIn(t, 'DEAD_LETTERS')
  expect(letters.map(({ headers }) => [headers['ce-id'], headers['malha-dlq-code']])).toStrictEqual([
    ['too-large', 'MESH_PAYLOAD_TOO_LARGE'],
    ['no-subject', 'MESH_NO_STREAM'],
    ['taken', 'MESH_ID_CONFLICT'],
  ])
  for (const { subject, headers } of letters) {
    expect(subject).toMatch(new RegExp(`^${t.namespace}\\.dlq\\._spool\\.ORDERS\\.[0-9a-f-]{36}\\.\\d+$`))
    expect(headers).toMatchObject({ 'malha-dlq-format': '1', 'malha-dlq-stream': `${t.namespace}_ORDERS` })
    expect(Date.parse(headers['malha-dlq-queued-at'] ?? '')).toBeLessThanOrEqual(Date.now())
  }
  // The payload that is too large for the server is left out of its letter; it stays in the file.
  expect(letters.map(({ headers }) => headers['malha-dlq-payload'])).toStrictEqual(['left-out', undefined, undefined])
  const records = (await storedIn(t, 'MESH')).map(({ headers }) => headers)
  expect(records.map((headers) => headers['ce-type'])).toStrictEqual(Array(3).fill('mesh.publish.failed'))
  expect(records.map((headers) => headers['ce-causationid'])).toStrictEqual(['too-large', 'no-subject', 'taken'])
  expect(lines.filter(({ level }) => level === 'error').map(({ code }) => code)).toHaveLength(3)
  await mesh.close()

  const { DatabaseSync } = await import('node:sqlite')
  const db = new DatabaseSync(folder.file)
  expect(db.prepare('SELECT code, told FROM dead ORDER BY seq').all()).toMatchObject([
    // 2: its letter is not all that is left of it, so it is never removed to make room.
    { code: 'MESH_PAYLOAD_TOO_LARGE', told: 2 },
    { code: 'MESH_NO_STREAM', told: 1 },
    { code: 'MESH_ID_CONFLICT', told: 1 },
  ])
  db.close()
})

test('many events of a subject that their stream holds no more give way with the first, and not each after a time-out of its own', async () => {
  using folder = tempFolder()
  await using t = await testMesh()
  await t.mesh.provision(shop)
  const away = await t.connect({ servers: NOWHERE, spool: { file: folder.file } })
  for (let n = 0; n < 30; n++) await away.publish(noted, order(n))
  await away.publish(placed, order(30), { id: 'p30' })
  await away.close()
  // One that went together with others goes alone once it may have been sent.
  const spool = await Spool.open({ file: folder.file }, silentLogger)
  spool.settle(t.mesh.names.stream(orders), [], { sentTo: 31, floor: 0 })
  spool.close()
  const jsm = await jetstreamManager(t.nats)
  await jsm.streams.update(t.mesh.names.stream(orders), { subjects: [`${t.namespace}.order.placed.>`] })
  const mesh = await t.connect({ spool: { file: folder.file } })
  await eventually(() => expect(mesh.queued).toBe(0), { timeoutMs: 30_000 })
  expect((await storedIn(t, orders)).map(({ id }) => id)).toStrictEqual(['p30'])
})

test('a record that another process stored before it died holds up no other letter', async () => {
  using folder = tempFolder()
  await using t = await testMesh()
  await t.mesh.provision(shop)
  for (const n of [0, 1]) await t.mesh.publish(noted, order(n), { id: `p${n}` })
  const away = await t.connect({ servers: NOWHERE, spool: { file: folder.file } })
  for (const n of [0, 1]) await away.publish(noted, order(n + 5), { id: `p${n}` })
  await away.close()
  {
    const spy = vi.spyOn(Spool.prototype, 'told').mockImplementation(() => {
      throw new Error('the process is gone')
    })
    await using _first = await t.connect({ name: 'first', spool: { file: folder.file } })
    await eventually(async () => expect(await storedIn(t, 'MESH')).toHaveLength(1))
    await _first.close()
    spy.mockRestore()
  }
  const mesh = await t.connect({ name: 'second', spool: { file: folder.file } })
  await eventually(async () => expect(await storedIn(t, 'MESH')).toHaveLength(2))
  expect((await storedIn(t, 'MESH')).map(({ headers }) => headers['ce-causationid'])).toStrictEqual(['p0', 'p1'])
  await mesh.close()
})

test('a stream that does not exist holds back its own events only, and they are stored once it does', async () => {
  using folder = tempFolder()
  await using server = await testServer()
  await using t = await testMesh({ server })
  await t.mesh.provision(shop)
  const jsm = await jetstreamManager(t.nats)
  await jsm.streams.delete(t.mesh.names.stream('AUDITS'))
  await server.kill()
  const mesh = await t.connect({ spool: { file: folder.file } })
  await Promise.all([mesh.publish(audited, order(1)), mesh.publish(placed, order(2))])
  await server.start()
  await eventually(async () => expect(await storedIn(t, orders)).toHaveLength(1))
  await t.mesh.provision(shop)
  await eventually(async () => expect(await storedIn(t, 'AUDITS')).toHaveLength(1), { timeoutMs: 30_000 })
})

test('while the broker is there, a mistake is told to whoever publishes and not queued', async () => {
  using folder = tempFolder()
  await using t = await testMesh()
  const mesh = await t.connect({ spool: { file: folder.file } })
  await expect(mesh.publish(placed, order(1))).rejects.toThrow('MESH_NO_STREAM')
  await mesh.provision(shop)
  await mesh.publish(placed, order(1), { id: 'p1' })
  await expect(mesh.publish(placed, order(2), { id: 'p1' })).rejects.toThrow('MESH_ID_CONFLICT')
  await expect(mesh.publish(placed, { ...order(3), text: 'x'.repeat(2 ** 20) })).rejects.toThrow('TOO_LARGE')
  await mesh.publish(placed, order(4), { once: true, id: 'o4' })
  await expect(mesh.publish(placed, order(4), { once: true, id: 'o4b' })).rejects.toThrow('MESH_ONCE_CONFLICT')
})
