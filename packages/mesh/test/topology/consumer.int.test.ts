import { jetstreamManager } from '@nats-io/jetstream'
import { eventually } from '@malha/testing'
import { nanos } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { topic } from '../../src/message/contract.ts'
import { on } from '../../src/service/define.ts'
import { ensureLaneConsumer } from '../../src/topology/consumer.ts'
import { consumerFloor, streamState } from '../../src/topology/stream-state.ts'
import {
  here,
  centers,
  DURABLE,
  handler,
  bench,
  ensure,
  store,
  work,
  configOf,
  failure,
  keep,
} from './provider-bench.ts'

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
    filter_subject: 't.center.registered',
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
    filter_subject: 't.center.>',
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
