import { eventually, freeze, testMesh, testServer } from '@malha/testing'
import { expect, test } from 'vitest'
import { brokerAway, audited, linesOf, noted, order, orders, placed, shop, storedIn, tempFolder } from './spool-kit.ts'

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

test('while the broker is away events are queued at once, and stored once and in order when it is back', async () => {
  using folder = tempFolder()
  await using server = await testServer()
  await using t = await testMesh({ server })
  const { lines, logger } = linesOf()
  const mesh = await t.connect({ spool: { file: folder.file }, logger })
  await mesh.provision(shop)
  expect(await mesh.publish(placed, order(0), { id: 'p0' })).toMatchObject({ seq: 1, duplicate: false })
  await server.kill()
  const begun = performance.now()
  for (const n of numbers(101).slice(1)) {
    const contract = n % 2 === 0 ? placed : noted
    expect(await mesh.publish(contract, order(n), { id: `p${n}` })).toMatchObject({ id: `p${n}`, queued: true })
  }
  expect(performance.now() - begun).toBeLessThan(20_000)
  expect(mesh.health()).toStrictEqual({ ready: true, reasons: [] })
  await server.start()
  await eventually(async () => expect(await storedIn(t, orders)).toHaveLength(101), { timeoutMs: 20_000 })
  expect((await storedIn(t, orders)).map(({ n }) => n)).toStrictEqual(numbers(101))
  await eventually(async () => expect(await mesh.publish(placed, order(200))).toMatchObject({ duplicate: false }))
  await eventually(async () => expect((await mesh.publish(placed, order(201))).queued).toBeUndefined())
  expect(lines.filter(({ level }) => level === 'error')).toStrictEqual([])
})

test('a process starts and takes events while the broker is away, and what needs the broker waits for it', async () => {
  await using away = await brokerAway()
  const { server, t } = away
  const mesh = await t.connect({ spool: { file: away.file } })
  expect(() => mesh.nats).toThrow(/MESH_CONNECT_FAILED/)
  expect(await mesh.publish(placed, order(1))).toMatchObject({ queued: true })
  const started = mesh.start(shop)
  await server.start()
  await started
  await mesh.connected()
  await eventually(async () => expect(await storedIn(t, orders)).toHaveLength(1))
})

test('a broker that hears and does not answer costs one time-out, not one an event', async () => {
  using folder = tempFolder()
  await using server = await testServer()
  await using t = await testMesh({ server })
  const mesh = await t.connect({ spool: { file: folder.file } })
  await mesh.provision(shop)
  {
    using _frozen = await freeze(server)
    expect(await mesh.publish(audited, order(0), { id: 'a0' })).toMatchObject({ queued: true })
    const begun = performance.now()
    for (const n of numbers(21).slice(1))
      expect(await mesh.publish(audited, order(n), { id: `a${n}` })).toMatchObject({ queued: true })
    // A second each would be 20.
    expect(performance.now() - begun).toBeLessThan(10_000)
  }
  await eventually(async () => expect(await storedIn(t, 'AUDITS')).toHaveLength(21), { timeoutMs: 30_000 })
  expect((await storedIn(t, 'AUDITS')).map(({ n }) => n)).toStrictEqual(numbers(21))
})
