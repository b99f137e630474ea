import { closeSync, openSync, writeSync } from 'node:fs'
import { MeshError } from '@malha/mesh'
import { eventually, testMesh, testServer } from '@malha/testing'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Spool } from '../../../src/publish/spool/spool.ts'
import { linesOf, noted, order, orders, placed, shop, storedIn, tempFolder } from './spool-kit.ts'

const NOWHERE = 'nats://127.0.0.1:1'

test('while the file cannot forget what is stored, it is tried with pauses and told as the fault of the file; nothing is stored twice', async () => {
  using folder = tempFolder()
  await using t = await testMesh()
  await t.mesh.provision(shop)
  const away = await t.connect({ servers: NOWHERE, spool: { file: folder.file } })
  for (const n of [0, 1, 2]) await away.publish(noted, order(n), { id: `p${n}` })
  await away.close()
  const failures: number[] = []
  // oxlint-disable-next-line typescript/unbound-method -- called with its own `this`
  const { settle } = Spool.prototype
  const spy = vi.spyOn(Spool.prototype, 'settle').mockImplementation(function (this: Spool, stream, stored, mark) {
    if (stored.length > 0 && failures.length < 3) {
      failures.push(performance.now())
      throw new MeshError('MESH_SPOOL_FAILED', 'the disk has no room')
    }
    settle.call(this, stream, stored, mark)
  })
  onTestFinished(() => spy.mockRestore())
  const { lines, logger } = linesOf()
  const mesh = await t.connect({ spool: { file: folder.file }, logger })
  await eventually(() => expect(mesh.queued).toBe(0))
  expect((await storedIn(t, orders)).map(({ id }) => id)).toStrictEqual(['p0', 'p1', 'p2'])
  for (const [index, at] of failures.slice(1).entries()) expect(at - failures[index]!).toBeGreaterThan(200)
  const told = lines.filter(({ err }) => err instanceof MeshError && err.code === 'MESH_SPOOL_FAILED')
  expect(told.map(({ level, message }) => [level, message])).toStrictEqual(
    failures.map(() => ['error', expect.stringContaining('file')]),
  )
})

test('two events of one key that are queued to be published once do not hold up the rest: the first is stored, the other a dead letter', async () => {
  using folder = tempFolder()
  await using t = await testMesh()
  await t.mesh.provision(shop)
  const away = await t.connect({ servers: NOWHERE, spool: { file: folder.file } })
  for (const id of ['a', 'b']) await away.publish(placed, order(1), { id, once: true })
  await away.publish(placed, order(2), { id: 'c' })
  await away.publish(placed, order(2), { id: 'd', once: true })
  await away.publish(placed, order(3), { id: 'e' })
  await away.close()
  const mesh = await t.connect({ spool: { file: folder.file } })
  await eventually(() => expect(mesh.queued).toBe(0))
  expect((await storedIn(t, orders)).map(({ id }) => id)).toStrictEqual(['a', 'c', 'e'])
  await eventually(async () => {
    const letters = await storedIn(t, 'DEAD_LETTERS')
    expect(letters.map(({ id, headers }) => [id, headers['malha-dlq-code']])).toStrictEqual([
      ['b', 'MESH_ONCE_CONFLICT'],
      ['d', 'MESH_ONCE_CONFLICT'],
    ])
  })
})

test('damage while the process runs is told as the fault of the file, and a restart saves what is whole', async () => {
  using folder = tempFolder()
  const { lines, logger } = linesOf()
  await using server = await testServer()
  await using t = await testMesh({ server })
  await t.mesh.provision(shop)
  await server.kill()
  const mesh = await t.connect({ spool: { file: folder.file }, logger })
  // More than SQLite keeps in memory.
  const text = 'x'.repeat(40_000)
  await Promise.all(Array.from({ length: 100 }, (_, n) => mesh.publish(noted, { ...order(n), text }, { id: `p${n}` })))
  const file = openSync(folder.file, 'r+')
  writeSync(file, Buffer.alloc(60_000), 0, 60_000, 400_000)
  closeSync(file)
  await server.start()
  await eventually(() => {
    const told = lines.filter(({ level }) => level === 'error').map(({ err }) => String(err))
    expect(told[0]).toMatch(/MESH_SPOOL_FAILED.*damaged/)
  })
  await mesh.close()
  const next = await t.connect({ spool: { file: folder.file } })
  await eventually(() => expect(next.queued).toBe(0))
  const ids = (await storedIn(t, orders)).map(({ id }) => id)
  expect(ids.length).toBeGreaterThan(95)
  expect(ids).toStrictEqual([...new Set(ids)].sort((a, b) => Number(a.slice(1)) - Number(b.slice(1))))
})

test('a file that cannot say who died does not end the process', async () => {
  using folder = tempFolder()
  await using t = await testMesh()
  const spy = vi.spyOn(Spool.prototype, 'untold').mockImplementation(() => {
    throw new Error('the disk is gone')
  })
  onTestFinished(() => spy.mockRestore())
  const { lines, logger } = linesOf()
  const mesh = await t.connect({ spool: { file: folder.file }, logger })
  // A rejection that nobody handles fails the run.
  await eventually(() => expect(lines.map(({ err }) => String(err))).toContain('Error: the disk is gone'))
  await mesh.close()
})
