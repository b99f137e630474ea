import { eventually } from '@malha/testing'
import { nanos } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { on } from '../../src/service/define.ts'
import { ensureLaneConsumer } from '../../src/topology/consumer.ts'
import { orphanFaults } from '../../src/topology/orphans.ts'
import { consumerFloor } from '../../src/topology/stream-state.ts'
import { here, ordered, DURABLE, at, handler, bench, ensure, store, deleteDurable } from './provider-bench.ts'

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
