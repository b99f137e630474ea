import { jetstreamManager } from '@nats-io/jetstream'
import { nanos } from '@nats-io/transport-node'
import { eventually, testMesh, testServer } from '@malha/testing'
import { expect, test } from 'vitest'
import { freeze, noted, order, orders, placed, shop, storedIn, tempFolder } from './spool-kit.ts'
import { startSpooler } from './spooler-process.ts'

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

test('SIGKILL with 1,000 queued: the next process stores each once, in order', async () => {
  using folder = tempFolder()
  await using server = await testServer()
  await using t = await testMesh({ server })
  await t.mesh.provision(shop)
  await server.kill()
  {
    await using spooler = startSpooler(folder.file, t, 1000)
    await eventually(() => expect(spooler.lines).toHaveLength(1001), { timeoutMs: 40_000 })
    expect(spooler.lines.slice(1).every(({ queued }) => queued)).toBe(true)
    expect(spooler.errors).toStrictEqual([])
  }
  await server.start()
  const mesh = await t.connect({ spool: { file: folder.file } })
  await eventually(async () => expect(await storedIn(t, orders)).toHaveLength(1000), { timeoutMs: 30_000 })
  expect((await storedIn(t, orders)).map(({ n }) => n)).toStrictEqual(numbers(1000))
  await eventually(async () => expect((await mesh.publish(noted, order(0))).queued).toBeUndefined())
})

test('SIGKILL while it queues and while it drains, again and again: whatever was answered is stored once, in order', async () => {
  using folder = tempFolder()
  await using server = await testServer()
  await using t = await testMesh({ server })
  await t.mesh.provision(shop)
  await server.kill()
  {
    await using spooler = startSpooler(folder.file, t, 100_000)
    await eventually(() => expect(spooler.lines.length).toBeGreaterThan(600), { timeoutMs: 40_000 })
    await spooler.kill()
    const answered = spooler.lines.length - 1
    await server.start()
    for (const share of [0.1, 0.5, 0.8]) {
      await using drainer = startSpooler(folder.file, t, 0)
      await eventually(async () => expect((await storedIn(t, orders)).length).toBeGreaterThan(answered * share), {
        timeoutMs: 30_000,
        intervalMs: 1,
      })
      await drainer.kill()
    }
    await using _last = startSpooler(folder.file, t, 0)
    await eventually(async () => expect((await storedIn(t, orders)).length).toBeGreaterThanOrEqual(answered), {
      timeoutMs: 30_000,
    })
    const stored = await storedIn(t, orders)
    // The ones that were being answered when it was killed may be there or not.
    expect(stored.map(({ n }) => n)).toStrictEqual(numbers(stored.length))
    expect(stored.length).toBeLessThanOrEqual(answered + 10)
  }
})

test('what was sent without an answer is looked up before it is sent again, when the server has forgotten its id', async () => {
  using folder = tempFolder()
  await using server = await testServer()
  await using t = await testMesh({ server })
  await t.mesh.provision(shop)
  // A server without de-duplication is one that was away for longer than its window.
  const jsm = await jetstreamManager(t.nats)
  await jsm.streams.update(t.mesh.names.stream(orders), { duplicate_window: nanos(100) })
  const mesh = await t.connect({ spool: { file: folder.file } })
  await mesh.publish(noted, order(0), { id: 'p0' })
  // It takes what it hears once it runs again: the event is stored, and nobody is there to be told.
  {
    using _frozen = await freeze(server)
    const inFlight = numbers(21)
      .slice(1)
      .map((n) => mesh.publish(noted, order(n), { id: `p${n}` }))
    for (const answer of await Promise.all(inFlight)) expect(answer).toMatchObject({ queued: true })
    expect(await mesh.publish(noted, order(21), { id: 'p21' })).toMatchObject({ queued: true })
  }
  await eventually(async () => expect((await mesh.publish(placed, order(99), { id: 'p99' })).queued).toBeUndefined(), {
    timeoutMs: 30_000,
    intervalMs: 500,
  })
  const stored = (await storedIn(t, orders)).filter(({ id }) => id !== 'p99')
  expect(stored.map(({ n }) => n)).toStrictEqual(numbers(22))
})
