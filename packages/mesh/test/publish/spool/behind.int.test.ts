import { prepareEvent, publication } from '@malha/mesh'
import { testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { brokerAway, noted, order, orders, storedIn, tempFolder } from './spool-kit.ts'

test('a prepared event, a batch and one with an expectation go behind what is queued, though the broker comes back meanwhile', async () => {
  await using away = await brokerAway()
  const { server, t } = away
  const mesh = await t.connect({ spool: { file: away.file } })
  await Promise.all(Array.from({ length: 600 }, (_, n) => mesh.publish(noted, order(n), { id: `p${n}` })))
  const behind = Promise.all([
    mesh.publishPrepared(await prepareEvent(noted, order(600), { from: 'test', id: 'prepared' })),
    mesh.publishAll([publication(noted, order(601), { id: 'all' })]),
    mesh.publish(noted, order(602), { id: 'expecting', expect: { lastSeq: 0, subjects: 'order.noted' } }).catch(String),
  ])
  await server.start()
  const [, , refused] = await behind
  expect(refused).toContain('MESH_EXPECTATION_FAILED')
  const ids = (await storedIn(t, orders)).map(({ id }) => id)
  expect(ids.slice(0, 600)).toStrictEqual(Array.from({ length: 600 }, (_, n) => `p${n}`))
  expect(new Set(ids.slice(600))).toStrictEqual(new Set(['prepared', 'all']))
})

test('before the broker was there for the first time, what is not queued waits no longer than its own time', async () => {
  using folder = tempFolder()
  await using t = await testMesh()
  const mesh = await t.connect({ servers: 'nats://127.0.0.1:1', spool: { file: folder.file } })
  const event = await prepareEvent(noted, order(1), { from: 'test' })
  const timeoutMs = 300
  await Promise.all([
    expect(mesh.publishPrepared(event, { timeoutMs })).rejects.toThrow('MESH_PUBLISH_TIMEOUT'),
    expect(mesh.publishAll([publication(noted, order(1))], { timeoutMs })).rejects.toThrow('MESH_PUBLISH_TIMEOUT'),
    expect(
      mesh.publish(noted, order(1), { timeoutMs, expect: { lastSeq: 0, subjects: 'order.noted' } }),
    ).rejects.toThrow('MESH_PUBLISH_TIMEOUT'),
  ])
})
