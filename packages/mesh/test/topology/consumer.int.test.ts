import { jetstream, jetstreamManager, type ConsumerConfig } from '@nats-io/jetstream'
import type { KV } from '@nats-io/kv'
import { eventually, testServer } from '@malha/testing'
import { connect, nanos, type NatsConnection } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { event, topic } from '../../src/message/contract.ts'
import type { Logger } from '../../src/observe/logger.ts'
import { type HandlerDef, type HandlerOptions, on } from '../../src/service/define.ts'
import { openCheckpoints, readCheckpoint, writeCheckpoint } from '../../src/topology/checkpoint.ts'
import { ensureConsumer, type EnsuredConsumer, ensureLaneConsumer } from '../../src/topology/consumer.ts'
import { eventDurablesOf } from '../../src/topology/event-durables.ts'
import { names } from '../../src/topology/names.ts'
import { type HandlerPlace, orphanFaults } from '../../src/topology/orphans.ts'
import { provisionStreams } from '../../src/topology/provision.ts'
import { consumerFloor, streamState } from '../../src/topology/stream-state.ts'
import { stream } from '../../src/topology/stream.ts'

const here = names('t')
const centers = stream('CENTERS', { subjects: ['center.>'], maxBytes: 1024 ** 2 })
const orders = stream('ORDERS', { subjects: ['order.>'], maxBytes: 1024 ** 2 })
const registered = event('center.registered', { stream: centers, schema: z.object({}) })
const ordered = event('order.placed', { stream: orders, schema: z.object({}) })
const DURABLE = 't_provider_senninha'
const at = (stream: string): HandlerPlace => ({ stream, durables: [DURABLE], filters: [] })

const handler = (options: HandlerOptions = {}): HandlerDef => on(registered, options, () => undefined)

type Bench = AsyncDisposable & { nc: NatsConnection; checkpoints: KV }

async function bench(): Promise<Bench> {
  const server = await testServer()
  const nc = await connect({ servers: server.url })
  await provisionStreams(nc, here, { streams: [centers, orders], lanesFor: 'provider', mode: 'ensure' })
  const checkpoints = await openCheckpoints(nc, here)
  const dispose = async (): Promise<void> => {
    await nc.close()
    await server[Symbol.asyncDispose]()
  }
  return { nc, checkpoints, [Symbol.asyncDispose]: dispose }
}

function ensure(
  { nc, checkpoints }: Bench,
  def: HandlerDef,
  more: { mode?: 'ensure' | 'verify' | 'none'; log?: Logger; handler?: string } = {},
): Promise<EnsuredConsumer> {
  const name = more.handler ?? 'senninha'
  const options = { service: 'provider', mode: 'ensure' as const, stream: here.stream(def.source.stream), ...more }
  return ensureConsumer(nc, here, { ...options, handler: name, def, durable: eventDurablesOf(def)[0], checkpoints })
}

async function store({ nc }: Bench, count: number, subject = 't.center.registered'): Promise<void> {
  const js = jetstream(nc)
  for (let index = 0; index < count; index++) await js.publish(subject, 'x')
}

/** Takes and acks the next `count` messages of the durable, or as many as there are by the end of the stream. */
async function work({ nc }: Bench, count: number, expires = 20_000): Promise<number[]> {
  const { state } = await (await jetstreamManager(nc)).streams.info('t_CENTERS')
  const consumer = await jetstream(nc).consumers.get('t_CENTERS', DURABLE)
  const seqs: number[] = []
  for await (const message of await consumer.fetch({ max_messages: count, expires })) {
    await message.ackAck()
    seqs.push(message.seq)
    if (message.seq >= state.last_seq) break
  }
  return seqs
}

async function configOf({ nc }: Bench, stream: string, durable: string): Promise<ConsumerConfig> {
  return (await (await jetstreamManager(nc)).consumers.info(stream, durable)).config
}

async function deleteDurable({ nc }: Bench, stream = 't_CENTERS', durable = DURABLE): Promise<void> {
  await (await jetstreamManager(nc)).consumers.delete(stream, durable)
}

async function failure(run: Promise<unknown>): Promise<string> {
  return run.then(
    () => 'nothing was thrown',
    (error: Error) => error.message,
  )
}

function keep(): { log: Logger; lines: string[] } {
  const lines: string[] = []
  const write = (_: object, message: string): void => void lines.push(message)
  return { log: { debug: write, info: write, warn: write, error: write }, lines }
}

test('on a stream without history a handler begins at 1 and needs not say where', async () => {
  await using own = await bench()
  const first = await ensure(own, handler())
  expect(first).toMatchObject({ stream: 't_CENTERS', durable: DURABLE, created: true, startSeq: 1, settled: 0 })
  expect(first.epoch).toBe((await streamState(own.nc, 't_CENTERS')).epoch)
  expect(await ensure(own, handler())).toMatchObject({ created: false, settled: 0 })
  expect(await configOf(own, 't_CENTERS', DURABLE)).toMatchObject({
    ack_policy: 'explicit',
    ack_wait: nanos(30_000),
    max_deliver: -1,
    max_ack_pending: 2000,
    max_waiting: 2048,
    filter_subjects: ['t.center.registered'],
    metadata: {
      'malha.service': 'provider',
      'malha.handler': 'senninha',
      'malha.type': 'center.registered',
      'malha.format': '1',
    },
  })
  expect(await configOf(own, 't_CENTERS', DURABLE)).not.toHaveProperty('backoff')
})

test('a new handler on a stream with history must say where to begin', async () => {
  await using own = await bench()
  await store(own, 5)
  const message = await failure(ensure(own, handler()))
  expect(message).toMatch(/^MESH_TOPOLOGY: handler senninha, durable t_provider_senninha on stream t_CENTERS/)
  expect(message).toContain('already had 5 events')
  expect(message).toContain("startFrom: 'all'")
  await expect(configOf(own, 't_CENTERS', DURABLE)).rejects.toThrow('consumer not found')
})

test.each([
  ['all', 1, [1, 2, 3]],
  ['new', 4, []],
  ['past', 1, [1, 2, 3]],
  ['future', 4, []],
] as const)('startFrom %s begins at %i', async (from, startSeq, delivered) => {
  await using own = await bench()
  await store(own, 3)
  const date = new Date(Date.now() + (from === 'past' ? -3_600_000 : 3_600_000))
  const startFrom = from === 'all' || from === 'new' ? from : date
  expect(await ensure(own, handler({ startFrom }))).toMatchObject({ created: true, startSeq, settled: startSeq - 1 })
  // That nothing comes shows in a second; what comes may take its time.
  expect(await work(own, 3, delivered.length === 0 ? 1000 : undefined)).toEqual(delivered)
})

test('what aged out before a handler was new is none of its business', async () => {
  await using own = await bench()
  await store(own, 5)
  await (await jetstreamManager(own.nc)).streams.purge('t_CENTERS', { seq: 4 })
  expect(await ensure(own, handler({ startFrom: 'all' }))).toMatchObject({ settled: 3 })
})

test('a durable that is gone is made again after its checkpoint, whatever startFrom says', async () => {
  await using own = await bench()
  const { epoch } = await ensure(own, handler())
  await store(own, 6)
  expect(await work(own, 4)).toEqual([1, 2, 3, 4])
  await writeCheckpoint(own.checkpoints, DURABLE, { v: 1, stream: 't_CENTERS', epoch, floor: 4, settled: 4 })
  await deleteDurable(own)
  const { log, lines } = keep()
  const again = await ensure(own, handler({ startFrom: 'new' }), { log })
  expect(again).toMatchObject({ created: true, startSeq: 5, settled: 4 })
  expect(lines.join()).toContain('made again after its last checkpoint')
  expect(await work(own, 5)).toEqual([5, 6])
})

test('a durable has a checkpoint from its first moment: gone before any work, it begins where it began', async () => {
  await using own = await bench()
  await store(own, 3)
  await ensure(own, handler({ startFrom: 'new' }))
  await store(own, 2)
  await deleteDurable(own)
  expect(await ensure(own, handler())).toMatchObject({ created: true, startSeq: 4 })
})

test('on a stream that was made again the durable begins at 1', async () => {
  await using own = await bench()
  const { epoch } = await ensure(own, handler())
  await own.checkpoints.put(
    DURABLE,
    JSON.stringify({ v: 1, stream: 't_CENTERS', epoch: epoch - 60, floor: 9, settled: 9 }),
  )
  await deleteDurable(own)
  await store(own, 2)
  expect(await ensure(own, handler())).toMatchObject({ created: true, startSeq: 1, settled: 0 })
  expect(await readCheckpoint(own.checkpoints, DURABLE)).toMatchObject({ epoch, floor: 0 })
})

test('a checkpoint past the end of its stream does not skip what comes next', async () => {
  await using own = await bench()
  const { epoch } = await ensure(own, handler())
  await store(own, 2)
  await writeCheckpoint(own.checkpoints, DURABLE, { v: 1, stream: 't_CENTERS', epoch, floor: 50, settled: 50 })
  await deleteDurable(own)
  expect(await ensure(own, handler())).toMatchObject({ startSeq: 3, settled: 2 })
})

test('a checkpoint only moves forward, and one of an earlier epoch changes nothing', async () => {
  await using own = await bench()
  const at = (epoch: number, floor: number, settled = floor): Promise<boolean> =>
    writeCheckpoint(own.checkpoints, 'd', { v: 1, stream: 's', epoch, floor, settled })
  expect(await at(7, 5)).toBe(true)
  expect(await at(7, 4)).toBe(false)
  expect(await at(6, 9)).toBe(false)
  expect(await at(7, 9, 3)).toBe(false)
  const racing = await Promise.all(Array.from({ length: 6 }, (_, index) => at(7, 10 + index)))
  expect(racing).toContain(true)
  expect(await readCheckpoint(own.checkpoints, 'd')).toMatchObject({ epoch: 7, floor: 15 })
  expect(await at(8, 1)).toBe(true)
})

test('a checkpoint of a newer release is not guessed at', async () => {
  await using own = await bench()
  await own.checkpoints.put(DURABLE, JSON.stringify({ v: 2 }))
  expect(await failure(ensure(own, handler()))).toContain('newer release')
})

test('a durable follows its declaration without losing its place, and warns of subjects it takes no more', async () => {
  await using own = await bench()
  await ensure(own, handler())
  await store(own, 3)
  await work(own, 2)
  const { log, lines } = keep()
  const wide = { ackWaitMs: 5000, concurrency: 100 }
  expect(
    await ensure(
      own,
      on(topic(centers, 'center.>'), wide, () => undefined),
      { log },
    ),
  ).toMatchObject({
    created: false,
  })
  expect(await configOf(own, 't_CENTERS', DURABLE)).toMatchObject({
    ack_wait: nanos(5000),
    max_ack_pending: 12_000,
    filter_subjects: ['t.center.>'],
  })
  expect(lines.join()).not.toContain('takes fewer subjects')
  await ensure(own, handler(wide), { log })
  expect(lines.join()).toContain('takes fewer subjects now')
  const expected = { ackFloor: 2, pending: 1, ackPending: 0 }
  await eventually(async () => expect(await consumerFloor(own.nc, 't_CENTERS', DURABLE)).toMatchObject(expected))
})

test('verify and none make no durable, and verify names what differs', async () => {
  await using own = await bench()
  for (const mode of ['verify', 'none'] as const)
    expect(await failure(ensure(own, handler(), { mode }))).toContain(`MALHA_TOPOLOGY=${mode} makes none`)
  await ensure(own, handler())
  expect(await ensure(own, handler(), { mode: 'verify' })).toMatchObject({ created: false })
  const other = handler({ ackWaitMs: 5000 })
  expect(await failure(ensure(own, other, { mode: 'verify' }))).toContain('ack_wait 30000000000 → 5000000000')
  expect(await ensure(own, other, { mode: 'none' })).toMatchObject({ created: false })
  expect(await configOf(own, 't_CENTERS', DURABLE)).toMatchObject({ ack_wait: nanos(30_000) })
})

test('a consumer of another kind under the same name is a fault, not a victim', async () => {
  await using own = await bench()
  const jsm = await jetstreamManager(own.nc)
  await jsm.consumers.add('t_CENTERS', { durable_name: DURABLE, ack_policy: 'none', deliver_subject: 'push.here' })
  expect(await failure(ensure(own, handler()))).toContain('not one of the mesh')
})

test('twenty instances that start at once share one durable', async () => {
  await using own = await bench()
  await store(own, 5)
  const done = await Promise.all(Array.from({ length: 20 }, () => ensure(own, handler({ startFrom: 'all' }))))
  expect(new Set(done.map(({ durable }) => durable)).size).toBe(1)
  expect(await work(own, 9)).toEqual([1, 2, 3, 4, 5])
})

test('a stream that is missing is a fault that names it', async () => {
  await using own = await bench()
  await (await jetstreamManager(own.nc)).streams.delete('t_CENTERS')
  expect(await failure(ensure(own, handler()))).toContain('the stream does not exist')
})

test('the lane durable takes this handler’s retried messages only', async () => {
  await using own = await bench()
  const options = { service: 'provider', handler: 'senninha', def: handler(), mode: 'ensure' as const }
  const lane = await ensureLaneConsumer(own.nc, here, options)
  expect(lane).toMatchObject({ stream: 't_LANES_PROVIDER', durable: DURABLE, created: true })
  expect(await ensureLaneConsumer(own.nc, here, options)).toMatchObject({ created: false })
  await ensureLaneConsumer(own.nc, here, { ...options, handler: 'maas' })
  await store(own, 1, here.laneTarget('provider', 'senninha'))
  await eventually(async () =>
    expect(await consumerFloor(own.nc, 't_LANES_PROVIDER', DURABLE)).toMatchObject({ pending: 1 }),
  )
  expect((await consumerFloor(own.nc, 't_LANES_PROVIDER', 't_provider_maas')).pending).toBe(0)
})

test('a handler that was renamed is a fault that names it, what waits and the ways out', async () => {
  await using own = await bench()
  await ensure(own, handler())
  await ensureLaneConsumer(own.nc, here, { service: 'provider', handler: 'senninha', def: handler(), mode: 'ensure' })
  await store(own, 3)
  await store(own, 1, here.laneTarget('provider', 'senninha'))
  // The server counts what is pending a moment after it has stored it.
  await eventually(async () => expect(await consumerFloor(own.nc, 't_CENTERS', DURABLE)).toMatchObject({ pending: 3 }))
  await eventually(async () =>
    expect(await consumerFloor(own.nc, 't_LANES_PROVIDER', DURABLE)).toMatchObject({ pending: 1 }),
  )
  const search = {
    service: 'provider',
    handlers: { renamed: { stream: 't_CENTERS', durables: ['t_provider_renamed'], filters: [] } },
  }
  const faults = await orphanFaults(own.nc, here, search)
  expect(faults).toHaveLength(1)
  expect(faults[0]).toContain('durable t_provider_senninha on stream t_CENTERS has 4 messages waiting')
  expect(faults[0]).toContain("retired: ['senninha']")
  expect(await orphanFaults(own.nc, here, { ...search, retired: ['senninha'] })).toEqual([])
  expect(await orphanFaults(own.nc, here, { ...search, handlers: { senninha: at('t_CENTERS') } })).toEqual([])
  expect(await orphanFaults(own.nc, here, { ...search, service: 'other' })).toEqual([])
})

test('a durable that its handler reads no more is a fault while messages wait there', async () => {
  await using own = await bench()
  await ensure(own, handler())
  const handlers = { senninha: { stream: 't_CENTERS', durables: [`${DURABLE}_p0`], filters: [] } }
  expect(await orphanFaults(own.nc, here, { service: 'provider', handlers })).toEqual([])
  await store(own, 2)
  await eventually(async () => expect(await consumerFloor(own.nc, 't_CENTERS', DURABLE)).toMatchObject({ pending: 2 }))
  expect((await orphanFaults(own.nc, here, { service: 'provider', handlers })).join()).toContain(
    'durable t_provider_senninha on stream t_CENTERS has 2 messages waiting, which handler senninha of this release would not read any more: its order, its key or its priorities are others',
  )
  // Read by a release that runs beside this one.
  const sub = own.nc.subscribe('pulled')
  own.nc.publish(
    `$JS.API.CONSUMER.MSG.NEXT.t_CENTERS.${DURABLE}`,
    JSON.stringify({ batch: 9, expires: nanos(30_000) }),
    {
      reply: 'pulled',
    },
  )
  await eventually(async () =>
    expect((await orphanFaults(own.nc, here, { service: 'provider', handlers })).join()).toContain(
      'but a release that runs now does. If that one is newer, start it in place of this one',
    ),
  )
  sub.unsubscribe()
})

test('a handler that reads another stream now leaves an orphan on the old one, until that durable is gone', async () => {
  await using own = await bench()
  const moved = on(ordered, () => undefined)
  const lane = { service: 'provider', handler: 'senninha', mode: 'ensure' as const }
  await ensure(own, handler())
  await ensureLaneConsumer(own.nc, here, { ...lane, def: handler() })
  // Even after a start that went through with the new stream.
  await ensure(own, moved)
  await ensureLaneConsumer(own.nc, here, { ...lane, def: moved })
  const search = { service: 'provider', handlers: { senninha: at('t_ORDERS') } }
  expect((await orphanFaults(own.nc, here, search)).join()).toContain('on stream t_CENTERS has 0 messages waiting')
  await deleteDurable(own)
  expect(await orphanFaults(own.nc, here, search)).toEqual([])
})
