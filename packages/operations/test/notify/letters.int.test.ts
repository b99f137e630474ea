import { connectMesh, type Mesh } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { describe, expect, it } from 'vitest'
import { type Notifier, startNotifier } from '../../src/index.ts'
import type { Ledger } from '../../src/notify/ledger.ts'
import { type Received, receiver } from './receiver.ts'
import { lettersFor, QUICK, shop } from './shop.ts'

const many = (count: number, why: string): string[] => Array.from({ length: count }, (_, n) => `${why} ${n}`)

/** How many letters were told of; and how many are counted and not told. */
const toldOf = (received: readonly Received[]): number =>
  received.reduce((sum, { body }) => sum + Number(body['letters']), 0)

async function owedIn({ nats, names }: Mesh): Promise<number> {
  const jsm = await jetstreamManager(nats)
  const bucket = names.bucket('NOTIFICATIONS')
  const ledger = await jsm.streams.getMessage(`KV_${bucket}`, { last_by_subj: `$KV.${bucket}.letters` })
  return Object.values(ledger?.json<Ledger>().owed ?? {}).reduce((sum, { letters }) => sum + letters, 0)
}

describe('people are told of dead letters', () => {
  it('at the first of a group, by one of two notifiers, however many follow', async () => {
    await using test = await testMesh()
    const { mesh } = test
    await using hook = await receiver()
    await mesh.start(shop)
    const other = await test.connect()
    await using _first = await startNotifier(mesh, { ...QUICK, url: hook.url })
    await using _second = await startNotifier(other, { ...QUICK, url: hook.url })
    await lettersFor(mesh, [...many(200, 'city'), 'no room'])
    await eventually(async () => expect(toldOf(hook.received) + (await owedIn(mesh))).toBe(201))
    await eventually(() => expect(hook.received.length).toBe(2))
    const [cities, rooms] = hook.received
      .map(({ body }) => body)
      .sort((a, b) => (String(a['reason']) < String(b['reason']) ? -1 : 1))
    expect(cities).toMatchObject({
      v: 1,
      kind: 'letters',
      namespace: mesh.names.namespace,
      service: 'shop',
      handler: 'bill',
      code: 'MESH_REJECTED',
      reason: 'MESH_REJECTED: city <n>',
      link: null,
      command: `malha dlq list --group ${String(cities?.['group'])} --namespace ${mesh.names.namespace}`,
    })
    expect(rooms).toMatchObject({ reason: 'MESH_REJECTED: no room', letters: 1 })
    expect(rooms?.['text']).toBe(
      `[${mesh.names.namespace}] Dead letter: shop/bill gave up a message, MESH_REJECTED: no room`,
    )
    expect(hook.received[0]!.headers['content-type']).toBe('application/json; charset=utf-8')
  })

  it('again after the quiet time, with how many came in it, and not before', async () => {
    await using test = await testMesh()
    const { mesh } = test
    await using hook = await receiver()
    await mesh.start(shop)
    const quietMs = 1000
    await using _one = await startNotifier(mesh, { ...QUICK, quietMs, url: hook.url })
    await using _other = await startNotifier(await test.connect(), { ...QUICK, quietMs, url: hook.url })
    await lettersFor(mesh, ['no room'])
    await eventually(() => expect(hook.received.length).toBe(1))
    await lettersFor(
      mesh,
      many(6, 'no room').map(() => 'no room'),
    )
    await eventually(() => expect(toldOf(hook.received)).toBe(7))
    expect(hook.received.length).toBe(2)
    expect(hook.received[1]!.body['text']).toMatch(/gave up a message, .*, and 5 more in the last \d seconds?$/)
    await lettersFor(mesh, ['no room'])
    await eventually(() => expect(toldOf(hook.received)).toBe(8))
    const [first, second, third] = hook.received.map(({ atMs }) => atMs) as [number, number, number]
    expect(Math.min(second - first, third - second)).toBeGreaterThan(quietMs - 100)
    await eventually(async () => expect(await owedIn(mesh)).toBe(0))
  })

  it('from when the first notifier started, and of those that came while none ran', async () => {
    await using test = await testMesh()
    const { mesh } = test
    await using hook = await receiver()
    await mesh.start(shop)
    await lettersFor(mesh, ['long ago'])
    // A receiver that answers late is told again.
    const patient = { ...QUICK, timeoutMs: 10_000, url: hook.url }
    const start = async (): Promise<Notifier> => await startNotifier(mesh, patient)
    const first = await start()
    await lettersFor(mesh, ['now'])
    await eventually(() => expect(hook.received.length).toBe(1))
    await first.stop()
    await lettersFor(mesh, ['meanwhile', 'now'])
    await using _second = await start()
    await eventually(() => expect(hook.received.length).toBe(2))
    await lettersFor(mesh, ['later'])
    await eventually(() => expect(hook.received.length).toBe(3))
    const reasons = hook.received.map(({ body }) => body['reason'])
    expect(reasons).toEqual(['now', 'meanwhile', 'later'].map((why) => `MESH_REJECTED: ${why}`))
    // The other one of "now" waits for the end of the quiet time.
    await eventually(async () => expect(await owedIn(mesh)).toBe(1))
  })

  it('once, though the notifier stops while it waits for the answer', async () => {
    await using test = await testMesh()
    const { mesh } = test
    await using hook = await receiver()
    await mesh.start(shop)
    hook.delayMs = 300
    const first = await startNotifier(mesh, { ...QUICK, timeoutMs: 10_000, url: hook.url })
    await lettersFor(mesh, ['taken'])
    await eventually(() => expect(hook.received.length).toBe(1))
    await first.stop()
    await using _second = await startNotifier(mesh, { ...QUICK, url: hook.url })
    await lettersFor(mesh, ['next'])
    await eventually(() => expect(hook.received.length).toBe(2))
    expect(hook.received.map(({ body }) => body['reason'])).toEqual(['MESH_REJECTED: taken', 'MESH_REJECTED: next'])
  })

  it('where the stream of letters is not there yet, or was made anew', async () => {
    await using test = await testMesh()
    const { mesh } = test
    await using hook = await receiver()
    await using _notifier = await startNotifier(mesh, { ...QUICK, url: hook.url })
    await mesh.start(shop)
    await lettersFor(mesh, ['a', 'b'])
    await eventually(() => expect(toldOf(hook.received)).toBe(2))
    const jsm = await jetstreamManager(mesh.nats)
    const { config, created } = await jsm.streams.info(mesh.names.stream('DEAD_LETTERS'))
    // An epoch is a second.
    await eventually(() => Date.now() > Date.parse(created) + 1000)
    await jsm.streams.delete(config.name)
    await jsm.streams.add(config)
    await lettersFor(mesh, ['c'])
    await eventually(() => expect(toldOf(hook.received)).toBe(3))
  })

  it('and telling makes no consumer and changes no letter', async () => {
    await using test = await testMesh()
    const { mesh } = test
    await using hook = await receiver()
    await mesh.start(shop)
    await lettersFor(mesh, ['long ago'])
    const jsm = await jetstreamManager(mesh.nats)
    const consumers = async (): Promise<number> => (await jsm.getAccountInfo()).consumers
    const before = await consumers()
    await using own = await connectMesh({ servers: test.url, namespace: test.namespace })
    await using _notifier = await startNotifier(own, { ...QUICK, url: hook.url })
    await lettersFor(mesh, ['now'])
    await eventually(() => expect(hook.received.length).toBe(1))
    expect(await consumers()).toBe(before)
    expect((await jsm.streams.info(mesh.names.stream('DEAD_LETTERS'))).state).toMatchObject({
      messages: 2,
      consumer_count: 0,
    })
  })
})
