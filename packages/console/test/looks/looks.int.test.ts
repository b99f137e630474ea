import { setTimeout as sleep } from 'node:timers/promises'
import {
  connectMesh,
  defineService,
  event,
  type Mesh,
  meshOptions,
  on,
  Reject,
  type ServiceDef,
  stream,
} from '@malha/mesh'
import { eventually, testMesh, testServer } from '@malha/testing'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type Console, startConsole } from '../../src/index.ts'
import { ask } from '../asking.ts'

const schema = z.object({ n: z.string() })
const orders = stream('ORDERS', { subjects: ['order.>'], maxBytes: 64 * 1024 ** 2 })
const placed = event('order.placed', { stream: orders, schema })
const paid = event('order.paid', { stream: orders, schema })

/** Publishes what it says that it does; refuses orders whose name says so. */
const shop = (): ServiceDef =>
  defineService('shop', {
    publishes: [paid],
    handlers: {
      bill: on(placed, { startFrom: 'all', concurrency: 3, timeoutMs: 5000 }, ({ n }, ctx) => {
        if (n === 'bad') throw new Reject('no such street')
        ctx.publish(paid, { n })
      }),
    },
  })

/** What a console says when handlers were looked at; until it is disposed of. */
async function watching(console: Console): Promise<AsyncDisposable & { looks: number[] }> {
  const ending = new AbortController()
  const looks: number[] = []
  const answer = await fetch(`${console.url}/api/live?watch=handlers`, { signal: ending.signal })
  const reading = (async () => {
    for await (const text of answer.body!.pipeThrough(new TextDecoderStream()))
      for (const [, atMs] of text.matchAll(/event: sample\ndata: \{"atMs":(\d+)\}/g)) looks.push(Number(atMs))
  })().catch(() => undefined)
  return {
    looks,
    async [Symbol.asyncDispose]() {
      ending.abort()
      await reading
    },
  }
}

async function publishing(mesh: Mesh, names: readonly string[]): Promise<void> {
  await Promise.all(names.map((n) => mesh.publish(placed, { n })))
}

describe.concurrent('the mesh at a glance', () => {
  it('says who publishes what, who hears it, how much flows, and who fails', async () => {
    await using test = await testMesh()
    await using console = await startConsole({ mesh: test.mesh, port: 0 })
    expect(await ask(console, '/topology')).toMatchObject({ status: 200, body: { handlers: [], subjects: [] } })
    const running = await test.mesh.start(shop())
    await using _watch = await watching(console)
    await eventually(
      async () => {
        await publishing(test.mesh, ['a', 'b', 'bad'])
        const { body } = await ask(console, '/topology')
        expect(body).toMatchObject({
          // What its process publishes beside its handlers is its too, though it does not declare it.
          publishes: ['order.paid', 'order.placed'].map((subject) => ({
            service: 'shop',
            subject,
            failedPerSecond: 0,
          })),
          handlers: [{ service: 'shop', handler: 'bill', hears: ['order.placed'], state: 'failing', instances: 1 }],
          missing: [],
        })
        const { handlers, streams, publishes } = body as unknown as {
          publishes: { storedPerSecond: number }[]
          handlers: { donePerSecond: number; failedPerSecond: number; reasons: string[] }[]
          streams: { name: string; storedPerSecond: number }[]
        }
        expect(handlers[0]!.reasons).toEqual([expect.stringMatching(/^dead letters grow: \d+ more in \d+ s$/)])
        expect(handlers[0]!.donePerSecond).toBeGreaterThan(handlers[0]!.failedPerSecond)
        expect(handlers[0]!.failedPerSecond).toBeGreaterThan(0)
        expect(Math.min(...publishes.map(({ storedPerSecond }) => storedPerSecond))).toBeGreaterThan(0)
        expect(streams).toMatchObject([{ name: test.mesh.names.stream('ORDERS') }])
        expect(streams[0]!.storedPerSecond).toBeGreaterThan(0)
      },
      { timeoutMs: 15_000, intervalMs: 250 },
    )
    const one = await ask(console, '/handlers/shop/bill')
    expect(one.body).toMatchObject({
      handler: {
        instances: [{ concurrency: 3, retry: { timeoutMs: 5000, attempts: 10 } }],
        durables: [{ maxDeliver: null, ackWaitMs: 30_000 }],
      },
      streams: [{ maxBytes: 64 * 1024 ** 2, discard: 'new', maxAgeMs: 30 * 86_400_000 }],
    })
    expect((one.body['charts'] as { donePerSecond: number[] }).donePerSecond.some((rate) => rate > 0)).toBe(true)
    expect(await ask(console, '/handlers/shop/pack')).toMatchObject({
      status: 404,
      body: { code: 'OPERATIONS_NO_HANDLER' },
    })
    await running.stop()
  })

  it('says what a service without a handler publishes, and asks nobody whose name is none', async () => {
    await using test = await testMesh()
    await using _api = await test.mesh.start(defineService('api', { publishes: [placed], handlers: {} }))
    const said = JSON.stringify({
      v: 1,
      service: 'no > name',
      version: '1',
      handlers: [],
      replies: [],
      publishes: ['order.paid'],
      retired: [],
      contracts: [],
      untold: [],
    })
    const bucket = test.mesh.names.bucket('MESH_CONTRACTS')
    await eventually(async () => void (await test.nats.request(`$KV.${bucket}.odd`, said)))
    await using console = await startConsole({ mesh: test.mesh, port: 0 })
    await eventually(
      async () => {
        await publishing(test.mesh, ['a'])
        expect(await ask(console, '/topology')).toMatchObject({
          status: 200,
          body: { publishes: [{ service: 'api' }] },
        })
        const { publishes } = (await ask(console, '/topology')).body as { publishes: { storedPerSecond: number }[] }
        expect(publishes[0]!.storedPerSecond).toBeGreaterThan(0)
      },
      { timeoutMs: 20_000, intervalMs: 500 },
    )
  })

  it('is looked at once for all who watch, and not while nobody does', async () => {
    await using test = await testMesh()
    const running = await test.mesh.start(shop())
    let asked = 0
    test.nats.subscribe(test.mesh.names.status('shop'), { callback: () => void asked++ })
    await using console = await startConsole({ mesh: test.mesh, port: 0 })
    {
      await using one = await watching(console)
      await using other = await watching(console)
      await eventually(() => expect(Math.min(one.looks.length, other.looks.length)).toBeGreaterThan(2), {
        timeoutMs: 20_000,
      })
      expect(other.looks.slice(0, 2)).toEqual(one.looks.slice(0, 2))
      expect(asked).toBeLessThanOrEqual(one.looks.length + 1)
    }
    await eventually(
      async () => {
        const before = asked
        await sleep(2500)
        expect(asked).toBe(before)
      },
      { timeoutMs: 20_000 },
    )
    await running.stop()
  })
})

describe('what bounds the mesh', () => {
  it('is said of streams, handlers and the account, and what the doctor finds has its fix', async () => {
    await using test = await testMesh()
    const running = await test.mesh.start(shop())
    await using console = await startConsole({ mesh: test.mesh, port: 0 })
    const { body } = await ask(console, '/limits')
    expect(body).toMatchObject({
      streams: expect.arrayContaining([
        expect.objectContaining({ name: test.mesh.names.stream('ORDERS'), maxBytes: 64 * 1024 ** 2, kind: 'events' }),
      ]),
      durables: [{ service: 'shop', handler: 'bill', ackPending: 0, maxAckPending: expect.any(Number) }],
      account: expect.arrayContaining([expect.objectContaining({ what: 'streams', unit: 'count' })]),
      missing: [],
    })
    await running.stop()
    await publishing(test.mesh, ['waits'])
    const { body: found } = await ask(console, '/doctor')
    expect(found).toMatchObject({
      state: 'warn',
      findings: expect.arrayContaining([
        expect.objectContaining({ check: 'services', about: 'shop', fix: expect.stringContaining('start it') }),
      ]),
    })
  })

  it('is said as far as this user may look, with what he may not', async () => {
    await using server = await testServer({
      config: `authorization { users: [
        { user: all, password: secret }
        { user: few, password: secret, permissions: { publish: { deny: ["$JS.API.INFO", "$JS.API.STREAM.INFO.KV_MESH_CONTRACTS"] } } }
      ] }`,
    })
    const as = (user: string): string => server.url.replace('://', `://${user}:secret@`)
    await using mesh = await connectMesh({ ...meshOptions({ NATS_URL: as('all') }) })
    const running = await mesh.start(shop())
    await using few = await connectMesh({ ...meshOptions({ NATS_URL: as('few') }), topology: 'none' })
    await using console = await startConsole({ mesh: few, port: 0 })
    expect((await ask(console, '/limits')).body).toMatchObject({
      account: [],
      missing: [expect.stringMatching(/^the account: .*permission/i)],
    })
    expect((await ask(console, '/topology')).body).toMatchObject({
      handlers: [{ handler: 'bill', hears: ['order.placed'] }],
      publishes: [],
      missing: [expect.stringMatching(/^who publishes what: .*permission/i)],
    })
    await running.stop()
  })
})
