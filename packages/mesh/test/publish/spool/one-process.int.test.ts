import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { connectMesh } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { order, orders, placed, shop, storedIn, tempFolder } from './spool-kit.ts'
import { startSpooler } from './spooler-process.ts'

test('a second process on the file is refused, and told the file and who has it; after a SIGKILL it is free', async () => {
  using folder = tempFolder()
  await using t = await testMesh()
  await using first = startSpooler(folder.file, t, { count: 0 })
  await eventually(() => expect(first.lines).toStrictEqual([{ ready: true }]))
  await using second = startSpooler(folder.file, t, { count: 0 })
  expect(await second.exited).toBe(1)
  const [refusal] = second.lines
  expect(refusal?.code).toBe('MESH_SPOOL_IN_USE')
  expect(refusal?.message).toContain(folder.file)
  expect(refusal?.message).toContain(`process ${first.child.pid}`)
  await expect(t.connect({ spool: { file: folder.file } })).rejects.toThrow(`process ${first.child.pid}`)
  await first.kill()
  const mesh = await t.connect({ spool: { file: folder.file } })
  await expect(t.connect({ spool: { file: folder.file } })).rejects.toThrow(`process ${process.pid}`)
  await mesh.close()
  await t.connect({ spool: { file: folder.file } })
})

test('a file that is no spool is refused and left as it is', async () => {
  using folder = tempFolder()
  await using t = await testMesh()
  const { DatabaseSync } = await import('node:sqlite')
  const other = new DatabaseSync(folder.file)
  other.exec("CREATE TABLE books (title TEXT); INSERT INTO books VALUES ('Os Sertões')")
  other.close()
  await expect(t.connect({ spool: { file: folder.file } })).rejects.toThrow(/MESH_SPOOL_UNUSABLE.*no spool/)
  const again = new DatabaseSync(folder.file)
  expect(again.prepare('SELECT title FROM books').all()).toMatchObject([{ title: 'Os Sertões' }])
  again.close()
})

test('a file of a newer release is refused and left as it is', async () => {
  using folder = tempFolder()
  await using t = await testMesh()
  await (await t.connect({ spool: { file: folder.file } })).close()
  const { DatabaseSync } = await import('node:sqlite')
  const newer = new DatabaseSync(folder.file)
  newer.exec("PRAGMA user_version = 2; UPDATE meta SET value = '2' WHERE name = 'format'")
  newer.close()
  await expect(t.connect({ spool: { file: folder.file } })).rejects.toThrow(/MESH_SPOOL_UNUSABLE.*format 2.*newer/)
})

test('a folder that cannot be made is refused with its path; credentials that are wrong free the file again', async () => {
  using folder = tempFolder()
  await using t = await testMesh()
  const inside = `${folder.file}/deeper/spool.db`
  await (await t.connect({ spool: { file: folder.file } })).close()
  await expect(t.connect({ spool: { file: inside } })).rejects.toThrow(inside)
  const wrong = { servers: 'nats://127.0.0.1:1', tls: { caFile: '/nowhere.pem' }, spool: { file: folder.file } }
  await expect(connectMesh(wrong)).rejects.toThrow(/nowhere\.pem/)
  const mesh = await t.connect({ spool: { file: folder.file } })
  await mesh.provision(shop)
  await mesh.publish(placed, order(1))
  expect(await storedIn(t, orders)).toHaveLength(1)
  expect(existsSync(folder.file)).toBe(true)
})

test('only their owner may read a spool’s files', async () => {
  using folder = tempFolder()
  await using t = await testMesh()
  const mesh = await t.connect({ servers: 'nats://127.0.0.1:1', spool: { file: folder.file } })
  await mesh.publish(placed, order(1))
  const modes = readdirSync(folder.path).map((name) => [name, statSync(join(folder.path, name)).mode & 0o777])
  expect(modes).toStrictEqual([
    ['spool.db', 0o600],
    ['spool.db-journal', 0o600],
    ['spool.db.lock', 0o600],
  ])
})
