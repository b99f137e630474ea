import { setTimeout as sleep } from 'node:timers/promises'
import { silentLogger } from '@malha/mesh'
import { jetstreamManager } from '@nats-io/jetstream'
import { nanos } from '@nats-io/transport-node'
import { eventually, freeze, type TestMesh, testMesh, testServer } from '@malha/testing'
import { expect, test } from 'vitest'
import { Spool } from '../../../src/publish/spool/spool.ts'
import { brokerAway, noted, order, orders, placed, shop, storedIn, tempFolder } from './spool-kit.ts'
import { startSpooler } from './spooler-process.ts'

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

/** A server that remembers no ids is one that was away for longer than its window. */
async function forgetIds({ nats, mesh }: TestMesh): Promise<void> {
  const jsm = await jetstreamManager(nats)
  await jsm.streams.update(mesh.names.stream(orders), { duplicate_window: nanos(100) })
}

async function countIn({ nats, mesh }: TestMesh): Promise<number> {
  const jsm = await jetstreamManager(nats, { timeout: 1000 })
  return (await jsm.streams.info(mesh.names.stream(orders))).state.messages
}

test('SIGKILL with 1,000 queued: the next process stores each once, in order', async () => {
  await using away = await brokerAway()
  const { server, t } = away
  {
    await using spooler = startSpooler(away.file, t, { count: 1000 })
    await eventually(() => expect(spooler.lines).toHaveLength(1001), { timeoutMs: 40_000 })
    expect(spooler.lines.slice(1).every(({ queued }) => queued)).toBe(true)
    expect(spooler.errors).toStrictEqual([])
  }
  await server.start()
  const mesh = await t.connect({ spool: { file: away.file } })
  await eventually(async () => expect(await storedIn(t, orders)).toHaveLength(1000), { timeoutMs: 30_000 })
  expect((await storedIn(t, orders)).map(({ n }) => n)).toStrictEqual(numbers(1000))
  await eventually(async () => expect((await mesh.publish(noted, order(0))).queued).toBeUndefined())
})

test('SIGKILL while it queues and while it drains, again and again: whatever was answered is stored once, in order', async () => {
  using folder = tempFolder()
  await using server = await testServer()
  await using t = await testMesh({ server })
  await t.mesh.provision(shop)
  await forgetIds(t)
  await server.kill()
  {
    await using spooler = startSpooler(folder.file, t, { count: 100_000 })
    await eventually(() => expect(spooler.lines.length).toBeGreaterThan(400), { timeoutMs: 40_000 })
    await spooler.kill()
    const answered = spooler.lines.length - 1
    await server.start()
    for (const share of [0.1, 0.6]) {
      await using drainer = startSpooler(folder.file, t, { count: 0 })
      await eventually(async () => expect(await countIn(t)).toBeGreaterThan(answered * share), {
        timeoutMs: 30_000,
        intervalMs: 1,
      })
      await drainer.kill()
    }
    await using _last = startSpooler(folder.file, t, { count: 0 })
    await eventually(async () => expect(await countIn(t)).toBeGreaterThanOrEqual(answered), {
      timeoutMs: 30_000,
    })
    const stored = await storedIn(t, orders)
    // The ones that were being answered when it was killed may be there or not.
    expect(stored.map(({ n }) => n)).toStrictEqual(numbers(stored.length))
    expect(stored.length).toBeLessThanOrEqual(answered + 10)
  }
})

test('what a process was sending when it died is looked up by the next one, when the server has forgotten its id', async () => {
  using folder = tempFolder()
  await using t = await testMesh()
  await t.mesh.provision(shop)
  await forgetIds(t)
  const away = await t.connect({ servers: 'nats://127.0.0.1:1', spool: { file: folder.file } })
  for (const n of numbers(10)) await away.publish(noted, order(n), { id: `p${n}` })
  await away.close()
  // What stands in the file and in the stream when it dies after the server took three, and before it heard of it.
  const stream = t.mesh.names.stream(orders)
  const spool = await Spool.open({ file: folder.file }, silentLogger)
  spool.settle(stream, [], { sentTo: spool.first(stream, { count: 5, bytes: Infinity }).at(-1)!.seq, floor: 0 })
  spool.close()
  for (const n of numbers(3)) await t.mesh.publish(noted, order(n), { id: `p${n}` })
  // Longer than the server’s window.
  await sleep(300)
  const mesh = await t.connect({ spool: { file: folder.file } })
  await eventually(() => expect(mesh.queued).toBe(0))
  const stored = await storedIn(t, orders)
  expect(stored.map(({ n }) => n)).toStrictEqual(numbers(10))
})

test('what was sent without an answer is looked up before it is sent again, when the server has forgotten its id', async () => {
  using folder = tempFolder()
  await using server = await testServer()
  await using t = await testMesh({ server })
  await t.mesh.provision(shop)
  await forgetIds(t)
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
