import { setTimeout as sleep } from 'node:timers/promises'
import {
  command,
  type Contract,
  defineService,
  event,
  LETTER_HEADER,
  type Metrics,
  receivedHeaders,
  stream,
} from '@malha/mesh'
import { openSaga, begins, saga, type SagaDef, sagaTimeout, send, step, timedOut, watchSagas } from '@malha/patterns'
import { eventually, type TestMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { testBrokers } from './brokers.ts'

const trips = stream('TRIPS', { subjects: ['trip.>'], maxBytes: 64 * 1024 ** 2 })
const Ref = z.object({ id: z.string(), n: z.number().optional() })
type Ref = z.infer<typeof Ref>
const base = { stream: trips, schema: Ref, key: (ref: Ref) => ref.id }
const booked: Contract<Ref> = event('trip.booked', base)
const stamped: Contract<Ref> = event('trip.stamped', base)
const left: Contract<Ref> = event('trip.left', base)
const remind: Contract<Ref> = command('trip.remind', base)

type Trip = { stamps: number[] }

const trip = (options: { leaveWithinMs?: number; version?: number } = {}): SagaDef<Trip> =>
  saga<Trip>('trip', {
    sends: [remind],
    timeout: sagaTimeout('trip.timed-out', trips),
    stuckAfterMs: 1000,
    version: options.version ?? 1,
    upcast: (state) => ({ ...(state as Trip) }),
    steps: {
      booked: begins(booked, () => ({
        state: { stamps: [] },
        ...(options.leaveWithinMs === undefined ? {} : { timeouts: { leave: options.leaveWithinMs } }),
      })),
      stamped: step(stamped, (state, { id, n = 0 }) => ({
        state: { stamps: [...state.stamps, n] },
        send: [send(remind, { id, n })],
      })),
      left: step(left, (state) => ({ state, end: 'left' }), { absent: 'wait' }),
      late: timedOut('leave', (state) => ({ state, end: 'late' })),
    },
  })

async function letterCodes(t: TestMesh): Promise<string[]> {
  const jsm = await jetstreamManager(t.nats)
  const name = t.mesh.names.stream('DEAD_LETTERS')
  const { state } = await jsm.streams.info(name)
  const codes: string[] = []
  for (let seq = state.first_seq; state.messages > 0 && seq <= state.last_seq; seq++)
    codes.push(receivedHeaders((await jsm.streams.getMessage(name, { seq }))?.header)[LETTER_HEADER.code] ?? '')
  return codes
}

const brokers = testBrokers()

for (const broker of brokers) {
  test.concurrent(`events of one saga at once each move it once, and each sends its command once; on ${broker.name}`, async () => {
    await using t = await broker.open()
    const sagas = await openSaga(t.mesh, trip())
    const service = defineService('trips', { handlers: { ...sagas.handlers }, publishes: sagas.publishes })
    await t.mesh.provision(service)
    await t.mesh.publish(booked, { id: 't-1' })
    // A second process of the same service.
    const peer = await t.connect()
    const peers = await openSaga(peer, trip())
    await using _one = await t.mesh.start(service)
    await using _two = await peer.start(defineService('trips', { handlers: { ...peers.handlers } }))
    await eventually(async () => expect(await sagas.get('t-1')).toBeDefined())
    const all = Array.from({ length: 30 }, (_, n) => n)
    await Promise.all(all.map((n) => t.mesh.publish(stamped, { id: 't-1', n })))
    await eventually(async () => expect((await sagas.get('t-1'))?.state.stamps.length).toBe(30), { timeoutMs: 40_000 })
    expect((await sagas.get('t-1'))?.state.stamps.sort((a, b) => a - b)).toEqual(all)
    const jsm = await jetstreamManager(t.nats)
    const subjects = t.mesh.names.subject('trip.remind.>')
    const count = async (): Promise<number> => {
      const info = await jsm.streams.info(t.mesh.names.stream(trips), { subjects_filter: subjects })
      return Object.values(info.state.subjects ?? {}).reduce((sum, one) => sum + one, 0)
    }
    await eventually(async () => expect(await count()).toBe(30))
    expect(await letterCodes(t)).toEqual([])
  })

  test.concurrent(`an event for a saga that never began is a dead letter that says so, one that may wait is handled later; on ${broker.name}`, async () => {
    await using t = await broker.open()
    const sagas = await openSaga(t.mesh, trip())
    const service = defineService('trips', { handlers: { ...sagas.handlers }, publishes: sagas.publishes })
    await using _running = await t.mesh.start(service)
    await t.mesh.publish(stamped, { id: 'nobody' })
    await t.mesh.publish(left, { id: 't-2' })
    await eventually(async () => expect(await letterCodes(t)).toEqual(['PATTERNS_SAGA_NOT_BEGUN']))
    await t.mesh.publish(booked, { id: 't-2' })
    await eventually(async () => expect((await sagas.get('t-2'))?.outcome).toBe('left'))
    await t.mesh.publish(booked, { id: 't-2' })
    await eventually(async () =>
      expect(await letterCodes(t)).toEqual(['PATTERNS_SAGA_NOT_BEGUN', 'PATTERNS_SAGA_BEGAN_BEFORE']),
    )
    expect(await sagas.get('nobody')).toBeUndefined()
  })

  test.concurrent(`a time-out ends a saga that waits, not one that moved on; on ${broker.name}`, async () => {
    await using t = await broker.open()
    const sagas = await openSaga(t.mesh, trip({ leaveWithinMs: 1500 }))
    const service = defineService('trips', { handlers: { ...sagas.handlers }, publishes: sagas.publishes })
    await using _running = await t.mesh.start(service)
    await t.mesh.publish(booked, { id: 'slow' })
    await t.mesh.publish(booked, { id: 'quick' })
    await eventually(async () => expect(await sagas.get('quick')).toBeDefined())
    await t.mesh.publish(left, { id: 'quick' })
    await eventually(async () => expect((await sagas.get('slow'))?.outcome).toBe('late'))
    expect((await sagas.get('quick'))?.outcome).toBe('left')
  })

  test.concurrent(`a stuck saga shows in the metric and by id, until it moves; on ${broker.name}`, async () => {
    await using t = await broker.open()
    const sagas = await openSaga(t.mesh, trip())
    const service = defineService('trips', { handlers: { ...sagas.handlers }, publishes: sagas.publishes })
    await using _running = await t.mesh.start(service)
    const seen = new Map<string, number>()
    await using watch = watchSagas(t.mesh, [sagas], { metrics: gauges(seen), everyMs: 60_000 })
    for (const id of ['a', 'b']) await t.mesh.publish(booked, { id })
    await eventually(async () => expect(await sagas.get('b')).toBeDefined())
    await t.mesh.publish(left, { id: 'b' })
    await eventually(async () => {
      await watch.look()
      expect(Object.fromEntries(seen)).toEqual({ 'mesh_sagas_stuck trip': 1, 'mesh_sagas_running trip': 1 })
    })
    const [stuck, ...others] = await sagas.listStuck()
    expect(others).toEqual([])
    expect(stuck).toMatchObject({
      id: 'a',
      status: 'running',
      state: { stamps: [] },
      lastEvent: { type: 'trip.booked' },
    })
    await t.mesh.publish(left, { id: 'a' })
    await eventually(async () => {
      await watch.look()
      expect(Object.fromEntries(seen)).toEqual({ 'mesh_sagas_stuck trip': 0, 'mesh_sagas_running trip': 0 })
    })
    expect(await sagas.listStuck()).toEqual([])
    expect(await sagas.forget({ endedBefore: new Date(Date.now() + 60_000) })).toBe(2)
    expect(await sagas.get('a')).toBeUndefined()
  })
}

test.concurrent('a record of a newer release is left alone until one runs that knows it', async () => {
  await using t = await brokers[0].open()
  const newer = await openSaga(t.mesh, trip({ version: 3 }))
  const older = await openSaga(t.mesh, trip({ version: 2 }))
  {
    await using _running = await t.mesh.start(
      defineService('trips', { handlers: { ...newer.handlers }, publishes: newer.publishes }),
    )
    await t.mesh.publish(booked, { id: 'a' })
    await eventually(async () => expect((await newer.get('a'))?.version).toBe(3))
  }
  await expect(older.get('a')).rejects.toThrow('PATTERNS_NEWER_FORMAT: saga trip a: its state has version 3')
  await eventually(async () => expect(await older.listStuck()).toMatchObject([{ id: 'a', state: undefined }]))
  await using _old = await t.mesh.start(defineService('trips', { handlers: { ...older.handlers } }))
  await t.mesh.publish(left, { id: 'a' })
  await sleep(500)
  expect((await newer.get('a'))?.status).toBe('running')
  expect(await letterCodes(t)).toEqual([])
})

test.concurrent('an event that cannot say whose it is is a dead letter', async () => {
  await using t = await brokers[0].open()
  const nameless: Contract<Ref> = event('trip.booked', { stream: trips, schema: Ref })
  const odd = saga<Trip>('odd', {
    sends: [],
    steps: { booked: begins(nameless, () => ({ state: { stamps: [] } }), { id: ({ n }) => n!.toFixed() }) },
  })
  const sagas = await openSaga(t.mesh, odd)
  await using _running = await t.mesh.start(
    defineService('trips', { handlers: { ...sagas.handlers }, publishes: [nameless] }),
  )
  await t.mesh.publish(nameless, { id: 'a' })
  await t.mesh.publish(nameless, { id: 'b', n: 7 })
  await eventually(async () => expect(await letterCodes(t)).toEqual(['PATTERNS_INVALID_STEP']))
  await eventually(async () => expect(await sagas.get('7')).toBeDefined())
})

test.concurrent('a command that does not fit its contract is a dead letter, and the saga stays where it was', async () => {
  await using t = await brokers[0].open()
  const bad = saga<Trip>('bad', {
    sends: [remind],
    steps: { booked: begins(booked, () => ({ state: { stamps: [] }, send: [send(remind, { id: 7 as never })] })) },
  })
  const sagas = await openSaga(t.mesh, bad)
  await using _running = await t.mesh.start(
    defineService('trips', { handlers: { ...sagas.handlers }, publishes: sagas.publishes }),
  )
  await t.mesh.publish(booked, { id: 'a' })
  await eventually(async () => expect(await letterCodes(t)).toEqual(['PATTERNS_INVALID_STEP']))
  expect(await sagas.get('a')).toBeUndefined()
})

function gauges(seen: Map<string, number>): Metrics {
  return {
    counter: () => ({ add: () => undefined }),
    histogram: () => ({ observe: () => undefined }),
    gauge: ({ name }) => ({ set: (labels, value) => void seen.set(`${name} ${labels['saga']}`, value) }),
  }
}
