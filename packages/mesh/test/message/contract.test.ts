import { command, days, event, stream, topic } from '@malha/mesh'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { covers } from '../../src/message/contract.ts'

const orders = stream('ORDERS', { subjects: ['order.>'] })

test('a stream names every fault at once', () => {
  const declare = (): unknown =>
    stream('orders', {
      subjects: ['Order.>', '>'],
      maxAgeMs: 0,
      maxBytes: 1,
      partitions: 0,
      replicas: 2,
      owner: 'A B',
      revision: 0,
    })
  for (const fault of [
    'the name takes',
    '"Order.>"',
    '">"',
    'maxAgeMs',
    'maxBytes',
    'partitions',
    'replicas',
    'owner',
    'revision',
  ])
    expect(declare).toThrow(fault)
})

test('an event names every fault at once', () => {
  const declare = (): unknown => event('Placed', { stream: orders, schema: {} as never, version: 0 })
  for (const fault of ['the type takes', 'version is 0', 'Standard Schema', 'does not hold this type'])
    expect(declare).toThrow(fault)
})

test('a keyed event needs room for its key in the subjects of its stream', () => {
  const narrow = stream('NARROW', { subjects: ['order.placed'] })
  const schema = z.object({ id: z.string() })
  expect(event('order.placed', { stream: narrow, schema }).type).toBe('order.placed')
  expect(() => event('order.placed', { stream: narrow, schema, key: (o) => o.id })).toThrow('end its subject in .>')
})

test('a second version needs upcast', () => {
  const schema = z.object({ id: z.string() })
  expect(() => event('order.placed', { stream: orders, schema, version: 2 })).toThrow('needs upcast')
  expect(command('order.place', { stream: orders, schema, version: 2, upcast: (old) => old }).version).toBe(2)
})

test.each(['', 'a.>.b', 'a..b', 'A.b', '>.a', 'a b'])('topic %j is refused', (pattern) => {
  expect(() => topic(orders, pattern)).toThrow('MESH_INVALID_CONTRACT')
})

test.each([
  ['a.*', 'a.b', true],
  ['a.*', 'a.b.c', false],
  ['a.>', 'a.b.c', true],
  ['a.>', 'a', false],
  ['*.b', 'a.b', true],
  ['>', 'a', true],
  ['a.b', 'a.b', true],
  ['a.b', 'a', false],
])('%s covers %s: %s', (pattern, subject, expected) => expect(covers(pattern, subject)).toBe(expected))

test('the default age of a stream is 30 days, and the window of ids never outlasts it', () => {
  expect(orders.maxAgeMs).toBe(days(30))
  expect(stream('SHORT', { subjects: ['short.>'], maxAgeMs: 2000 }).duplicateWindowMs).toBe(2000)
})
