import { setTimeout as sleep } from 'node:timers/promises'
import {
  command,
  type Contract,
  defineService,
  event,
  LETTER_HEADER,
  type Mesh,
  on,
  publication,
  receivedHeaders,
  Reject,
  retry,
  stream,
} from '@malha/mesh'
import { aggregate, type Aggregates, openAggregate, type OpenAggregateOptions } from '@malha/patterns'
import { eventually, type TestMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { shake, testBrokers } from './brokers.ts'

const WINDOW_MS = 500
const tills = stream('TILLS', { subjects: ['till.>'], maxBytes: 64 * 1024 ** 2, duplicateWindowMs: WINDOW_MS })
const Moved = z.object({ till: z.string(), cents: z.int() })
type Moved = z.infer<typeof Moved>
const base = { stream: tills, schema: Moved, key: (data: Moved) => data.till }
const added: Contract<Moved> = event('till.added', base)
const taken: Contract<Moved> = event('till.taken', base)
const charged: Contract<Moved> = event('till.charged', base)
const take: Contract<Moved> = command('till.take', base)

type Move = { add: number } | { take: number }
type Till = { id: string; cents: number; moves: number }
const events = { added, taken, charged }

/** Whatever is taken costs a cent: two events at once. */
const till = (id: string, version = 1) =>
  aggregate('till', {
    events,
    version,
    initial: (): Till => ({ id, cents: 0, moves: 0 }),
    decide(state, move: Move) {
      if ('add' in move) return [{ type: 'added', data: { till: id, cents: move.add } }]
      if (state.cents < move.take + 1) throw new Reject('the till has not so much')
      return [
        { type: 'taken', data: { till: id, cents: move.take } },
        { type: 'charged', data: { till: id, cents: 1 } },
      ]
    },
    evolve: (state, { type, data }) => ({
      ...state,
      moves: state.moves + 1,
      cents: state.cents + (type === 'added' ? data.cents : -data.cents),
    }),
  })

type Tills = Aggregates<Till, Move, typeof events>
const open = (mesh: Mesh, id: string, options?: OpenAggregateOptions & { version?: number }): Promise<Tills> =>
  openAggregate(mesh, till(id, options?.version), options)

async function provision(t: TestMesh): Promise<void> {
  await t.mesh.provision(defineService('tills', { handlers: {}, publishes: [added] }))
}

async function stored(t: TestMesh): Promise<{ first: number; last: number; count: number }> {
  const { state } = await (await jetstreamManager(t.nats)).streams.info(t.mesh.names.stream(tills))
  return { first: state.first_seq, last: state.last_seq, count: state.messages }
}

const brokers = testBrokers()

for (const broker of brokers) {
  test.concurrent(`commands at once never overdraw a till, whichever process decides; on ${broker.name}`, async () => {
    await using t = await broker.open()
    await provision(t)
    const all = await Promise.all([t.mesh, await t.connect(), await t.connect()].map((mesh) => open(mesh, 'x')))
    await all[0]!.execute('x', { add: 20 })
    const tries = all.flatMap((one, from) =>
      Array.from({ length: 6 }, (_, n) => persistent(one, 'x', { move: { take: 1 }, id: `take-${from}-${n}` })),
    )
    const calm = shake(t, tills)
    const settled = await Promise.allSettled(tries)
    await calm()
    const refusals = settled.filter(({ status }) => status === 'rejected')
    expect(refusals.map((one) => String((one as PromiseRejectedResult).reason))).toEqual(
      refusals.map(() => expect.stringContaining('has not so much') as string),
    )
    expect(refusals.length).toBe(8)
    expect(await all[1]!.load('x')).toMatchObject({ state: { cents: 0, moves: 21 }, version: 21 })
    expect((await stored(t)).count).toBe(21)
  })

  test.concurrent(`whoever is overtaken or refused, the snapshot has all events in the end; on ${broker.name}`, async () => {
    await using t = await broker.open()
    await provision(t)
    const options = { snapshots: { every: 1 } }
    const both = await Promise.all([t.mesh, await t.connect()].map((mesh) => open(mesh, 'x', options)))
    for (let round = 0; round < 8; round++) {
      await persistent(both[0]!, 'x', { move: { add: 2 }, id: `add-${round}` })
      // One of them is enough for the till, and one that can never be stored stands in their way.
      const tries = [...both, ...both].map((one, n) =>
        persistent(one, 'x', { move: { take: 1 }, id: `take-${round}-${n}` }),
      )
      const wrong = both[1]!.execute('x', { add: 0.5 })
      const settled = await Promise.allSettled([...tries, wrong])
      expect(settled.filter(({ status }) => status === 'fulfilled').length).toBe(1)
      await (await jetstreamManager(t.nats)).streams.purge(t.mesh.names.stream(tills))
      expect(await both[0]!.load('x')).toMatchObject({ state: { cents: 0 }, version: 3 * (round + 1), lastSeq: 0 })
    }
  })

  test.concurrent(`a command that comes again leads to nothing, also past the duplicate window; on ${broker.name}`, async () => {
    await using t = await broker.open()
    await provision(t)
    for (const options of [{}, { snapshots: { every: 1 } }, { snapshots: { every: 3 } }]) {
      const id = `x${options.snapshots?.every ?? 0}`
      const one = await open(t.mesh, id, options)
      expect(await one.execute(id, { add: 5 }, { id: `add-${id}` })).toMatchObject({ version: 1, duplicate: false })
      await one.execute(id, { take: 1 }, { id: `take-${id}` })
      const before = await stored(t)
      await sleep(WINDOW_MS * 1.5)
      expect(await one.execute(id, { add: 5 }, { id: `add-${id}` })).toEqual({
        state: { id, cents: 3, moves: 3 },
        version: 3,
        events: [],
        duplicate: true,
      })
      expect(await stored(t)).toEqual(before)
    }
  })

  test.concurrent(`an aggregate with a gap decides nothing and is not written to; on ${broker.name}`, async () => {
    await using t = await broker.open()
    await provision(t)
    const jsm = await jetstreamManager(t.nats)
    const name = t.mesh.names.stream(tills)
    const [middle, start, beside] = await Promise.all(['middle', 'start', 'beside'].map((id) => open(t.mesh, id)))
    for (const cents of [1, 2, 3]) await middle!.execute('middle', { add: cents })
    await jsm.streams.deleteMessage(name, 2)
    await expect(middle!.execute('middle', { add: 4 })).rejects.toThrow(
      /PATTERNS_AGGREGATE_GAP: till middle: event 2 is missing before the one at sequence 3/,
    )
    for (const cents of [1, 2, 3]) await start!.execute('start', { add: cents })
    for (const seq of [4, 5]) await jsm.streams.deleteMessage(name, seq)
    await expect(start!.execute('start', { add: 4 })).rejects.toThrow(
      'events 1 to 2 are missing before the one at sequence 6',
    )
    await beside!.execute('beside', { add: 1 })
    await t.mesh.publish(added, { till: 'beside', cents: 9 })
    await expect(beside!.execute('beside', { add: 1 })).rejects.toThrow('was not appended to the aggregate')
    expect((await stored(t)).last).toBe(8)
  })

  test.concurrent(`with a snapshot after every append an aggregate outlives its events, otherwise it is refused; on ${broker.name}`, async () => {
    await using t = await broker.open()
    await provision(t)
    const jsm = await jetstreamManager(t.nats)
    const name = t.mesh.names.stream(tills)
    const each = await open(t.mesh, 'each', { snapshots: { every: 1 } })
    const rare = await open(t.mesh, 'rare', { snapshots: { every: 10 } })
    for (const cents of [1, 2, 3]) {
      // The bucket that has just been made may have no leader yet, and nothing is appended before it is told.
      await eventually(() => each.execute('each', { add: cents }))
      await eventually(() => rare.execute('rare', { add: cents }))
    }
    await jsm.streams.purge(name)
    expect(await each.execute('each', { add: 4 })).toMatchObject({ state: { cents: 10 }, version: 4 })
    await expect(rare.execute('rare', { add: 4 })).rejects.toThrow(
      /PATTERNS_AGGREGATE_GAP.*after its snapshot \(version 1\)/,
    )
    // What is refused after the snapshot was told of it leaves nothing behind.
    await expect(each.execute('each', { add: 0.5 })).rejects.toThrow('MESH_INVALID_PAYLOAD')
    await jsm.streams.purge(name)
    expect(await each.execute('each', { add: 5 })).toMatchObject({ state: { cents: 15 }, version: 5 })
    const next = await open(t.mesh, 'each', { snapshots: { every: 1 }, version: 2 })
    await expect(next.load('each')).rejects.toThrow('PATTERNS_AGGREGATE_GAP')
    await jsm.streams.delete(name)
    await sleep(1000)
    await provision(t)
    await expect(each.load('each')).rejects.toThrow('its stream was made again')
  })
}

test.concurrent('events that a snapshot has not seen, because their writer died, are not forgotten when they are gone', async () => {
  await using t = await brokers[0].open()
  await provision(t)
  const jsm = await jetstreamManager(t.nats)
  let isDying = false
  const mortal = (id: string) => {
    const def = till(id)
    return openAggregate(
      t.mesh,
      {
        ...def,
        evolve(state, event) {
          if (isDying) throw new Error('dead')
          return def.evolve(state, event)
        },
      },
      { snapshots: { every: 1 } },
    )
  }
  const [back, gone, young] = await Promise.all(['back', 'gone', 'young'].map(mortal))
  for (const [one, id] of [[back!, 'back'] as const, [gone!, 'gone'] as const]) await one.execute(id, { add: 1 })
  isDying = true
  const all = [back!, gone!, young!].map((one, at) =>
    one.execute(['back', 'gone', 'young'][at]!, { add: 2 }, { id: 'c' }),
  )
  expect((await Promise.allSettled(all)).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  isDying = false
  expect((await stored(t)).count).toBe(5)
  // One command comes again before the events go.
  expect(await back!.execute('back', { add: 2 }, { id: 'c' })).toMatchObject({ version: 2, duplicate: true })
  await jsm.streams.purge(t.mesh.names.stream(tills))
  expect(await back!.execute('back', { add: 3 })).toMatchObject({ state: { cents: 6 }, version: 3 })
  await expect(gone!.load('gone')).rejects.toThrow(/PATTERNS_AGGREGATE_GAP.*after its snapshot \(version 1\)/)
  await expect(young!.load('young')).rejects.toThrow(/PATTERNS_AGGREGATE_GAP.*after its snapshot \(version 0\)/)
})

test.concurrent('without snapshots a command is known however many came after it', async () => {
  await using t = await brokers[0].open()
  await provision(t)
  const one = await open(t.mesh, 'x')
  await one.execute('x', { add: 1 }, { id: 'first' })
  const more = Array.from({ length: 300 }, (_, n) => {
    const headers = { 'aggregate-version': String(n + 2) }
    return publication(added, { till: 'x', cents: 1 }, { id: `e${n}`, causationId: `c${n}`, headers })
  })
  await t.mesh.publishAll(more)
  expect(await one.execute('x', { add: 1 }, { id: 'first' })).toMatchObject({ version: 301, duplicate: true })
})

test.concurrent('an event that belongs to another aggregate is refused, and nothing is stored', async () => {
  await using own = await brokers[0].open()
  await provision(own)
  const astray = openAggregate(own.mesh, {
    ...till('x'),
    decide: () => [
      { type: 'taken', data: { till: 'x', cents: 1 } },
      { type: 'added', data: { till: 'y', cents: 1 } },
    ],
  })
  await expect((await astray).execute('x', { take: 1 })).rejects.toThrow(/PATTERNS_INVALID_STEP.*key is not its id/)
  expect((await stored(own)).count).toBe(0)
})

test.concurrent('an event of a version or a type that this release does not know waits for one that does', async () => {
  await using t = await brokers[0].open()
  await provision(t)
  const one = await open(t.mesh, 'x')
  await one.execute('x', { add: 1 })
  const newer: Contract<Moved> = event('till.added', { ...base, version: 2, upcast: (data) => data })
  const { lastSeq } = await one.load('x')
  await t.mesh.publish(newer, { till: 'x', cents: 1 }, { headers: { 'aggregate-version': '2' } })
  await expect(one.execute('x', { add: 1 })).rejects.toThrow('MESH_NEWER_VERSION')
  await (await jetstreamManager(t.nats)).streams.deleteMessage(t.mesh.names.stream(tills), lastSeq + 1)
  const unknown: Contract<Moved> = event('till.counted', base)
  await t.mesh.publish(unknown, { till: 'x', cents: 1 }, { headers: { 'aggregate-version': '2' } })
  await expect(one.execute('x', { add: 1 })).rejects.toThrow('PATTERNS_UNKNOWN_EVENT: till x: till.counted')
})

test.concurrent('in a handler, a command is decided once by its id, and one on a gap is a dead letter that says so', async () => {
  await using t = await brokers[0].open()
  const one = await open(t.mesh, 'x')
  const service = defineService('tills', {
    publishes: one.publishes,
    handlers: {
      take: on(take, { startFrom: 'all', retry: retry({ attempts: 3 }) }, async (data, ctx) => {
        await one.execute(data.till, { take: data.cents }, { id: ctx.id, correlationId: ctx.correlationId })
        if (ctx.attempt === 1) throw new Error('it dies after the append')
      }),
    },
  })
  await using _running = await t.mesh.start(service)
  await one.execute('x', { add: 10 })
  await t.mesh.publish(take, { till: 'x', cents: 2 }, { id: 'take-1' })
  await eventually(async () => expect(await one.load('x')).toMatchObject({ version: 3, handled: ['take-1'] }))
  const jsm = await jetstreamManager(t.nats)
  await jsm.streams.deleteMessage(t.mesh.names.stream(tills), 1)
  await t.mesh.publish(take, { till: 'x', cents: 2 }, { id: 'take-2' })
  const letter = await eventually(async () => {
    const found = await jsm.streams.getMessage(t.mesh.names.stream('DEAD_LETTERS'), { seq: 1 })
    expect(found).not.toBeNull()
    return receivedHeaders(found!.header)
  })
  expect(letter).toMatchObject({ [LETTER_HEADER.code]: 'PATTERNS_AGGREGATE_GAP', 'ce-id': 'take-2' })
})

/** As a handler would: what is to be tried again is, under the same id, since a lost answer leaves it open what was stored. */
async function persistent(one: Tills, till: string, { move, id }: { move: Move; id: string }): Promise<unknown> {
  for (;;)
    try {
      return await one.execute(till, move, { id })
    } catch (error) {
      if (!/PATTERNS_(CONFLICT|STORE_UNAVAILABLE)|MESH_(PUBLISH_TIMEOUT|NO_STREAM)/.test(String(error))) throw error
    }
}
