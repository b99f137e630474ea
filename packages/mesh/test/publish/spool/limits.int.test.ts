import { eventually, testMesh, testServer } from '@malha/testing'
import { expect, test } from 'vitest'
import { startSpooler } from './spooler-process.ts'
import { brokerAway, noted, order, orders, shop, storedIn, tempFolder } from './spool-kit.ts'

const text = 'x'.repeat(10_000)

test('a full spool refuses and says so; what it took is stored, and then it takes again', async () => {
  await using away = await brokerAway()
  const { server, t } = away
  const mesh = await t.connect({ spool: { file: away.file, maxBytes: 100_000 } })
  const answers = await Promise.allSettled(
    Array.from({ length: 20 }, (_, n) => mesh.publish(noted, { ...order(n), text }, { id: `p${n}` })),
  )
  const taken = answers.filter(({ status }) => status === 'fulfilled').length
  expect(taken).toBe(9)
  for (const answer of answers.slice(taken))
    expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'MESH_SPOOL_FULL', disposition: 'retry' } })
  await server.start()
  await eventually(async () => expect(await storedIn(t, orders)).toHaveLength(9))
  await server.kill()
  await eventually(async () =>
    expect((await mesh.publish(noted, { ...order(9), text }, { id: 'p9' })).queued).toBe(true),
  )
  await server.start()
  await eventually(async () => expect(await storedIn(t, orders)).toHaveLength(10))
  expect((await storedIn(t, orders)).map(({ n }) => n)).toStrictEqual(Array.from({ length: 10 }, (_, n) => n))
})

test('a disk without room is told, and costs nothing that was answered', async () => {
  using folder = tempFolder()
  await using t = await testMesh()
  await t.mesh.provision(shop)
  const nowhere = { url: 'nats://127.0.0.1:1', namespace: t.namespace }
  await using spooler = startSpooler(folder.file, nowhere, { count: 100_000, fileBlocks: 200 })
  await eventually(() => expect(spooler.lines.map(({ code }) => code)).toContain('MESH_SPOOL_FAILED'))
  await spooler.kill()
  const answered = spooler.lines.filter(({ queued }) => queued).length
  expect(answered).toBeGreaterThan(50)
  const mesh = await t.connect({ spool: { file: folder.file } })
  await eventually(() => expect(mesh.queued).toBe(0))
  expect((await storedIn(t, orders)).map(({ n }) => n)).toStrictEqual(Array.from({ length: answered }, (_, n) => n))
})

test('dead events whose letters are stored make room for new ones', async () => {
  using folder = tempFolder()
  await using server = await testServer()
  await using t = await testMesh({ server })
  await t.mesh.provision(shop)
  for (let n = 0; n < 8; n++) await t.mesh.publish(noted, order(n), { id: `p${n}` })
  await server.kill()
  const mesh = await t.connect({ spool: { file: folder.file, maxBytes: 100_000 } })
  for (let n = 0; n < 8; n++) await mesh.publish(noted, { ...order(n), text }, { id: `p${n}` })
  await server.start()
  await eventually(async () => expect(await storedIn(t, 'MESH')).toHaveLength(8))
  await server.kill()
  const again = Array.from({ length: 8 }, (_, n) => mesh.publish(noted, { ...order(n), text }, { id: `q${n}` }))
  for (const answer of await Promise.all(again)) expect(answer.queued).toBe(true)
  await server.start()
})
