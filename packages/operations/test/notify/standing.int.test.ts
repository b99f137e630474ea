import {
  type BreakerChanged,
  breakerChanged,
  defineService,
  event,
  type Mesh,
  on,
  stream,
  untilBack,
} from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { nanos } from '@nats-io/nats-core'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { startNotifier } from '../../src/index.ts'
import { BreakerWatch } from '../../src/notify/breaker-watch.ts'
import { receiver } from './receiver.ts'
import { QUICK } from './shop.ts'

const orders = stream('ORDERS', { subjects: ['order.>'], maxBytes: 1024 ** 2 })
const placed = event('order.placed', { stream: orders, schema: z.object({ text: z.string() }) })

/** Bills by a partner, who is there or not. */
function billing(partner: { isThere: boolean }): ReturnType<typeof defineService> {
  return defineService('shop', {
    handlers: {
      bill: on(placed, { startFrom: 'all', retry: untilBack, concurrency: 20 }, () => {
        if (!partner.isThere) throw Object.assign(new Error('away'), { code: 'ECONNREFUSED' })
      }),
    },
  })
}

const place = async (mesh: Mesh, count: number): Promise<void> =>
  void (await Promise.all(Array.from({ length: count }, () => mesh.publish(placed, { text: '' }))))

const WATCHING = { ...QUICK, watchMs: 100 }

type State = BreakerChanged['state']

/** What processes said of a handler's breaker. */
async function say(mesh: Mesh, changes: readonly [instance: string, state: State][]): Promise<void> {
  for (const [instance, state] of changes)
    await mesh.publish(breakerChanged, {
      service: 'shop',
      handler: 'bill',
      instance,
      state,
      at: new Date().toISOString(),
    })
}

describe('people are told of what stands', () => {
  it('a breaker that is open for long, once by two notifiers', async () => {
    await using test = await testMesh()
    const { mesh } = test
    await using hook = await receiver()
    await mesh.start(billing({ isThere: false }))
    const patient = { ...WATCHING, breakerOpenMs: 500 }
    await using _one = await startNotifier(mesh, { ...patient, url: hook.url })
    await using _other = await startNotifier(await test.connect(), { ...patient, url: hook.url })
    await place(mesh, 20)
    await eventually(() => expect(hook.received.length).toBe(1))
    const { body } = hook.received[0]!
    expect(body).toMatchObject({ kind: 'breaker', service: 'shop', handler: 'bill' })
    expect(body['command']).toBe(`malha handlers list --namespace ${mesh.names.namespace}`)
    expect(body['text']).toMatch(
      /Breaker open: shop\/bill has not called its other side for \d seconds?, in 1 process$/,
    )
  })

  it('no breaker that closed, or that a process had open which is gone while those that run have it closed', async () => {
    await using test = await testMesh()
    const { mesh } = test
    await mesh.provision(billing({ isThere: true }))
    const watch = new BreakerWatch(mesh)
    const open = async (handlers: Parameters<typeof watch.openFor>[1]['handlers'] = []): Promise<unknown> => {
      await watch.read()
      return watch.openFor(60_000, { nowMs: Date.now() + 120_000, handlers }).map(({ notice }) => notice)
    }
    expect(await open()).toEqual([])
    await say(mesh, [
      ['a', 'open'],
      ['a', 'half-open'],
      ['a', 'open'],
      ['b', 'open'],
    ])
    const since = expect.stringMatching(/^20/) as string
    expect(await open()).toEqual([{ kind: 'breaker', service: 'shop', handler: 'bill', since, instances: ['a', 'b'] }])
    expect(watch.openFor(60_000, { nowMs: Date.now(), handlers: [] })).toEqual([])
    await say(mesh, [['a', 'closed']])
    expect(await open()).toMatchObject([{ instances: ['b'] }])
    const bill = { service: 'shop', handler: 'bill' }
    expect(await open([{ ...bill, breaker: { state: 'half-open', since: null, probeAt: null } }])).toHaveLength(1)
    expect(await open([{ ...bill, breaker: null }])).toHaveLength(1)
    expect(await open([{ ...bill, breaker: { state: 'closed', since: null, probeAt: null } }])).toEqual([])
    await say(mesh, [['b', 'closed']])
    expect(await open()).toEqual([])
    // What is no change of a breaker is passed over, whoever wrote it.
    mesh.nats.publish(mesh.names.subject('mesh.breaker.changed'), '{"service":"a.b.>","handler":"x","state":"open"}')
    mesh.nats.publish(mesh.names.subject('mesh.breaker.changed'), 'no json')
    await say(mesh, [['c', 'open']])
    expect(await open()).toMatchObject([{ instances: ['c'] }])
  })

  it('a stream that is 70 and then 90 % full, each once in the quiet time, and one that makes room by itself never', async () => {
    await using test = await testMesh()
    const { mesh } = test
    await using hook = await receiver()
    await mesh.start(billing({ isThere: true }))
    const fillTo = async (share: number): Promise<void> => {
      const jsm = await jetstreamManager(mesh.nats)
      const used = async (): Promise<number> =>
        (await jsm.streams.info(mesh.names.stream('ORDERS'))).state.bytes / 1024 ** 2
      while ((await used()) < share) await mesh.publish(placed, { text: 'x'.repeat(20_000) })
    }
    const jsm = await jetstreamManager(mesh.nats)
    await jsm.streams.update(mesh.names.stream('MESH'), { max_bytes: 1000 })
    await fillTo(0.5)
    await using _notifier = await startNotifier(mesh, { ...WATCHING, quietMs: 1000, url: hook.url })
    await fillTo(0.7)
    await eventually(() => expect(hook.received.length).toBe(1))
    await fillTo(0.9)
    await eventually(() => expect(hook.received.length).toBe(2))
    const name = mesh.names.stream('ORDERS')
    expect(hook.received.map(({ body }) => [body['kind'], body['stream']])).toEqual([
      ['stream', name],
      ['stream', name],
    ])
    const [less, more] = hook.received.map(({ body }) => Number(body['used']))
    expect([Math.floor(less! * 10), Math.floor(more! * 10)]).toEqual([7, 9])
    // Emptied and full again is news, and not a reminder.
    await jsm.streams.purge(name)
    await eventually(async () => {
      const bucket = mesh.names.bucket('NOTIFICATIONS')
      const told = await jsm.streams.getMessage(`KV_${bucket}`, { last_by_subj: `$KV.${bucket}.stream.${name}` })
      expect(told?.json()).toMatchObject({ told: null })
    })
    await fillTo(0.7)
    await eventually(() => expect(hook.received.length).toBe(3))
  })

  it('events that age out before their handler is done with them; not those of a handler that is in time', async () => {
    await using test = await testMesh()
    const { mesh } = test
    await using hook = await receiver()
    const handlers = { note: on(placed, { startFrom: 'all' }, () => undefined) }
    await mesh.start(defineService('notes', { handlers }))
    await (await mesh.start(billing({ isThere: true }))).stop()
    await place(mesh, 3)
    const jsm = await jetstreamManager(mesh.nats)
    const name = mesh.names.stream('ORDERS')
    await using _notifier = await startNotifier(mesh, { ...WATCHING, url: hook.url })
    expect((await jsm.streams.info(name)).state.messages).toBe(3)
    await jsm.streams.update(name, { max_age: nanos(4000), duplicate_window: nanos(4000) })
    await eventually(() => expect(hook.received.length).toBe(1), { timeoutMs: 30_000 })
    expect(hook.received[0]!.body).toMatchObject({ kind: 'headroom', service: 'shop', handler: 'bill', messages: 3 })
    expect(hook.received[0]!.body['headroomMs']).toBeLessThan(2000)
    expect(hook.received[0]!.body['text']).toMatch(
      /shop\/bill has 3 events before it, and the oldest ages out in \d seconds?$/,
    )
  })
})
