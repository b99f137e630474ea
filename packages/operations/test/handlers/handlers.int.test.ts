import { eventually, testMesh } from '@malha/testing'
import { untilBack } from '@malha/mesh'
import { jetstreamManager } from '@nats-io/jetstream'
import { describe, expect, it } from 'vitest'
import { openOperations } from '../../src/index.ts'
import { bulkShop, newBook, place, shop } from './shop.ts'

const BILL = { service: 'shop', handler: 'bill', who: 'ana' } as const

describe.concurrent('the handlers of a mesh', () => {
  it('are listed with what they have before them and how each instance is, and no consumer or stream is another one after', async () => {
    const book = newBook()
    await using test = await testMesh()
    const { mesh } = test
    await mesh.start(shop(book, { by: 'a', concurrency: 3, rateLimit: { perSecond: 1, burst: 1 } }))
    await (await test.connect()).start(shop(book, { by: 'b', concurrency: 3 }))
    await using looking = await test.connect({ topology: 'none', name: 'onlooker' })
    using operations = await openOperations(looking)
    using acting = await openOperations(mesh)
    await acting.handlers.pause({ ...BILL, reason: 'to be looked at' })
    await eventually(async () => {
      const [bill] = await operations.handlers.list()
      expect(bill!.instances.map(({ paused }) => paused?.reason)).toEqual(['to be looked at', 'to be looked at'])
    })
    await place(mesh, 0, 30)
    const jsm = await jetstreamManager(mesh.nats, { checkAPI: false })
    const everything = async (): Promise<unknown> => {
      const streams = []
      for await (const { config, state } of jsm.streams.list(mesh.names.subject('>'))) {
        const consumers = []
        for await (const info of jsm.consumers.list(config.name)) {
          const { name, config: settings, delivered, ack_floor: floor, num_ack_pending: open } = info
          consumers.push({ name, settings, delivered: delivered.stream_seq, floor: floor.stream_seq, open })
        }
        streams.push({ config, last: state.last_seq, messages: state.messages, consumers })
      }
      const { config, state } = await jsm.streams.info(`KV_${mesh.names.bucket('HANDLERS')}`)
      return { streams, config, consumers: state.consumer_count, messages: state.messages }
    }
    // What was asked for before the pause is over, and came back.
    await eventually(async () => {
      const before = JSON.stringify(await everything())
      const [bill] = await operations.handlers.list()
      expect(JSON.stringify(await everything())).toBe(before)
      expect(bill).toMatchObject({
        service: 'shop',
        handler: 'bill',
        source: 'order.placed',
        streams: [mesh.names.stream('ORDERS')],
        isOrdered: false,
        isShadow: false,
        lag: { messages: 30 },
        lane: { stream: mesh.names.lanes('shop'), pending: 0, ackPending: 0 },
        breaker: { state: 'closed', since: null, probeAt: null },
        running: 0,
        fault: null,
      })
      expect(bill!.lag!.headroomMs!).toBeGreaterThan(29 * 86_400_000)
      expect(bill!.lag!.oldestMs).toBeLessThan(60_000)
      expect(bill!.instances).toMatchObject([
        { concurrency: 3, declared: { concurrency: 3 }, leaked: 0 },
        { concurrency: 3, declared: { concurrency: 3 }, leaked: 0 },
      ])
      expect(new Set(bill!.instances.map(({ id }) => id)).size).toBe(2)
    })
  })

  it('are none where nothing has started, and looking makes nothing', async () => {
    await using test = await testMesh({ topology: 'none' })
    using operations = await openOperations(test.mesh)
    expect(await operations.handlers.list()).toEqual([])
    const jsm = await jetstreamManager(test.mesh.nats, { checkAPI: false })
    await expect(jsm.streams.info(`KV_${test.mesh.names.bucket('HANDLERS')}`)).rejects.toThrow(/not found/)
  })

  it('take other limits while they run, in every instance, until they are told otherwise', async () => {
    const book = newBook()
    await using test = await testMesh()
    using operations = await openOperations(test.mesh)
    const running = await test.mesh.start(shop(book, { concurrency: 2, ms: 20 }))
    const limits = async (): Promise<unknown> => {
      const [bill] = await operations.handlers.list()
      return bill!.instances.map(({ concurrency, rateLimit }) => ({ concurrency, rateLimit }))
    }
    const change = await operations.handlers.set({ ...BILL, concurrency: 12, rateLimit: { perSecond: 500, burst: 50 } })
    expect(change.after).toMatchObject({ concurrency: 12, rateLimit: { perSecond: 500, burst: 50 }, paused: null })
    await eventually(async () =>
      expect(await limits()).toEqual([{ concurrency: 12, rateLimit: { perSecond: 500, burst: 50 } }]),
    )
    await place(test.mesh, 0, 200)
    await eventually(() => expect(book.peak).toBe(12))
    // They hold for a process that starts later, and a pause leaves them alone.
    await running.stop()
    await operations.handlers.pause({ ...BILL, reason: 'short' })
    await operations.handlers.resume(BILL)
    await test.mesh.start(shop(book, { concurrency: 2 }))
    expect(await limits()).toEqual([{ concurrency: 12, rateLimit: { perSecond: 500, burst: 50 } }])
    await operations.handlers.set({ ...BILL, concurrency: 'declared', rateLimit: 'none' })
    await eventually(async () => expect(await limits()).toEqual([{ concurrency: 2, rateLimit: null }]))
  })

  it('count what ended well and what failed, and say when they give up and try again', async () => {
    await using test = await testMesh()
    using operations = await openOperations(test.mesh)
    await test.mesh.start(
      shop(newBook(), { failsFirst: true, timeoutMs: 5000, retry: { ...untilBack, minDelayMs: 1 } }),
    )
    await place(test.mesh, 0, 20)
    await eventually(async () => {
      const [bill] = await operations.handlers.list()
      expect(bill!.instances).toMatchObject([{ counts: { done: 20, failed: 20 } }])
      expect(bill).toMatchObject({
        instances: [{ retry: { timeoutMs: 5000, attempts: null, forMs: 7 * 86_400_000, maxDelayMs: 60_000 } }],
        durables: [
          { stream: test.mesh.names.stream('ORDERS'), maxDeliver: null, leader: null },
          { durable: test.mesh.names.durable('shop', 'bill', 'keyed') },
        ],
      })
    })
  })

  it('are told from a batch that would not be full, whoever wrote it', async () => {
    await using test = await testMesh()
    using operations = await openOperations(test.mesh)
    const running = await test.mesh.start(bulkShop(newBook()))
    await running.stop()
    await operations.handlers.set({ ...BILL, concurrency: 5 })
    await test.mesh.start(bulkShop(newBook()))
    const [bill] = await operations.handlers.list()
    expect(bill!.instances).toMatchObject([{ concurrency: 20, fault: expect.stringMatching(/a batch of 10/) }])
  })

  it('refuse what is not there, what says nothing, and what somebody else changed meanwhile', async () => {
    await using test = await testMesh()
    using operations = await openOperations(test.mesh)
    const { handlers } = operations
    await test.mesh.start(shop(newBook()))
    await expect(handlers.pause({ ...BILL, handler: 'bil', reason: 'x' })).rejects.toThrow(/OPERATIONS_NO_HANDLER/)
    await expect(handlers.pause({ ...BILL, service: '>', reason: 'x' })).rejects.toThrow(/OPERATIONS_NO_HANDLER/)
    await expect(handlers.pause({ ...BILL, reason: ' ' })).rejects.toThrow(/OPERATIONS_INVALID_OPTIONS.*reason/)
    await expect(handlers.pause({ ...BILL, reason: 'x', until: new Date(0) })).rejects.toThrow(/already/)
    await expect(handlers.set({ ...BILL, concurrency: 0 })).rejects.toThrow(/1 to 1000/)
    await expect(handlers.set(BILL)).rejects.toThrow(/neither/)
    expect(await handlers.resume(BILL)).toEqual({ before: null, after: null })
    const [bill] = await handlers.list()
    expect(bill!.revision).toBe(0)
    await handlers.pause({ ...BILL, reason: 'first', revision: 0 })
    await expect(handlers.pause({ ...BILL, reason: 'second', revision: 0 })).rejects.toThrow(/OPERATIONS_HANDLER_MOVED/)
  })

  it('keep what each of several people says at the same moment, and who did what is written down', async () => {
    await using test = await testMesh()
    using operations = await openOperations(test.mesh)
    const { handlers, audit } = operations
    await test.mesh.start(shop(newBook()))
    await handlers.set({ ...BILL, concurrency: 7 })
    for (let round = 1; round <= 5; round++) {
      const [paused, limited] = await Promise.all([
        handlers.pause({ ...BILL, who: 'bo', reason: `round ${round}` }),
        handlers.set({ ...BILL, rateLimit: { perSecond: round } }),
      ])
      const [bill] = await handlers.list()
      expect(bill).toMatchObject({
        paused: { who: 'bo', reason: `round ${round}` },
        said: { concurrency: 7, rateLimit: { perSecond: round } },
      })
      // One of them came second, and was told what the first one had written.
      expect([
        paused.before?.rateLimit?.perSecond === round,
        limited.before?.paused?.reason === `round ${round}`,
      ]).toContain(true)
    }
    const { acts } = await audit.list({ target: 'shop.bill' })
    const done = acts.filter(({ outcome }) => outcome === 'done')
    expect(done).toHaveLength(11)
    expect(acts.filter(({ outcome }) => outcome !== 'done' && outcome !== 'refused')).toEqual([])
    expect(done.find(({ action }) => action === 'handler.pause')).toMatchObject({
      who: 'bo',
      reason: 'round 5',
      after: { paused: { reason: 'round 5' } },
    })
  })
})
