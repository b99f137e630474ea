import type { ServiceContracts } from '@malha/mesh'
import { expect, test } from 'vitest'
import { mapOf } from '../../src/map/map-of.ts'

const names = { stream: (stream: unknown) => `staging_${String(stream)}` }
const contract = (type: string, stream: string): ServiceContracts['contracts'][number] =>
  ({ type, kind: 'event', stream: { name: stream, partitions: 16 } }) as never
const service = (name: string, contracts: ServiceContracts['contracts'], publishes: string[]): ServiceContracts => ({
  v: 1,
  service: name,
  version: '1',
  handlers: [],
  replies: [],
  publishes,
  retired: [],
  contracts,
  untold: [],
})
const handler = (name: string, source: string, stream = 'staging_ORDERS') => ({
  service: 'shop',
  handler: name,
  source,
  streams: [stream],
  isShadow: false,
})

test('services stand before what they say that they publish, handlers behind what they hear, and nothing else is joined', () => {
  const said = [
    service('api', [contract('order.placed', 'ORDERS'), contract('order.paid', 'ORDERS')], ['order.placed']),
  ]
  const map = mapOf([handler('bill', 'order.placed'), handler('pack', 'order.paid')], { services: said }, names)
  expect(map.publishes).toEqual([{ service: 'api', subject: 'order.placed' }])
  expect(map.hears).toEqual([
    { service: 'shop', handler: 'bill', subject: 'order.placed' },
    { service: 'shop', handler: 'pack', subject: 'order.paid' },
  ])
  expect(map.subjects.map(({ name, stream }) => `${stream} ${name}`)).toEqual([
    'staging_ORDERS order.paid',
    'staging_ORDERS order.placed',
  ])
})

test('a topic is heard in each type that it covers on its stream; where none is known it stands for itself', () => {
  const said = [service('api', [contract('order.placed', 'ORDERS'), contract('order.gift.placed', 'GIFTS')], [])]
  const map = mapOf([handler('all', 'order.>'), handler('mail', 'mail.*', 'staging_MAIL')], { services: said }, names)
  expect(map.hears.map(({ subject }) => subject)).toEqual(['order.placed', 'mail.*'])
  expect(map.subjects).toContainEqual({ name: 'mail.*', stream: 'staging_MAIL', isPattern: true })
  expect(map.subjects.map(({ name }) => name)).not.toContain('order.gift.placed')
})

test('without contracts there is what handlers hear, and nobody who publishes it', () => {
  const map = mapOf([handler('bill', 'order.placed')], { services: [] }, names)
  expect(map).toEqual({
    subjects: [{ name: 'order.placed', stream: 'staging_ORDERS', isPattern: false }],
    publishes: [],
    hears: [{ service: 'shop', handler: 'bill', subject: 'order.placed' }],
  })
})

test('a shadow hears nothing', () => {
  expect(mapOf([{ ...handler('try', 'order.placed'), isShadow: true }], { services: [] }, names).hears).toEqual([])
})

test('what is published and nobody hears is there', () => {
  const said = [service('api', [contract('order.placed', 'ORDERS')], ['order.placed'])]
  expect(mapOf([], { services: said }, names).subjects).toHaveLength(1)
})

test('a service stands before what it was seen to publish, though it does not say so; once, and where somebody knows the type', () => {
  const said = [service('api', [contract('order.placed', 'ORDERS')], ['order.placed'])]
  const published = [
    { service: 'api', type: 'order.placed' },
    { service: 'shop', type: 'order.placed' },
    { service: 'shop', type: 'order.lost' },
    { service: 'shop', type: 'mail.*' },
  ]
  const map = mapOf([handler('mail', 'mail.*', 'staging_MAIL')], { services: said, published }, names)
  expect(map.publishes).toEqual([
    { service: 'api', subject: 'order.placed' },
    { service: 'shop', subject: 'order.placed' },
  ])
})
