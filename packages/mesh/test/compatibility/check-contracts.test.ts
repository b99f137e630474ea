import { checkContracts, command, type Contract, contractsSnapshot, event, request, stream } from '@malha/mesh'
import { expect, test } from 'vitest'
import { z } from 'zod'

const orders = stream('ORDERS', { subjects: ['order.>'] })
const Order = z.object({ orderId: z.string(), total: z.number() })
type Order = z.infer<typeof Order>
const placed = (
  schema: z.ZodType<Order, Order>,
  more: Partial<Parameters<typeof event<Order>>[1]> = {},
): Contract<Order> => event('order.placed', { stream: orders, schema, key: (order) => order.orderId, ...more })
const upcast = (data: unknown): unknown => data
const loose = Order.extend({ note: z.string().optional() })
const strict = z.strictObject(Order.shape)

const said = (before: Contract<Order>, after: Contract<Order>, mode: 'backward' | 'forward' | 'full'): string[] =>
  checkContracts({ before: [before], after: [after], mode }).map(
    ({ direction, path, what }) => `${direction} ${path}: ${what}`,
  )

test('a new optional property: older events are read; older strict readers would refuse newer ones', () => {
  expect(said(placed(Order), placed(loose), 'full')).toEqual([])
  expect(said(placed(strict), placed(z.strictObject(loose.shape)), 'backward')).toEqual([])
  expect(said(placed(strict), placed(z.strictObject(loose.shape)), 'full')).toEqual([
    'forward note: a newer event may have it, the old schema knows no such property and refuses it',
  ])
})

test('a new required property is told, unless the version grew and upcast brings older events to it', () => {
  const needs = Order.extend({ currency: z.string() })
  const after = (more = {}) => event('order.placed', { stream: orders, schema: needs, key: (o) => o.orderId, ...more })
  const check = (contract: ReturnType<typeof after>, mode: 'backward' | 'full') =>
    checkContracts({ before: [placed(Order)], after: [contract], mode })
  expect(check(after(), 'backward')).toEqual([
    {
      contract: 'order.placed',
      direction: 'backward',
      path: 'currency',
      what: 'the new schema requires it, an older event may lack it',
    },
  ])
  expect(check(after({ version: 2, upcast }), 'backward')).toEqual([])
  expect(check(after({ version: 2, upcast }), 'full')[0]?.what).toMatch(
    /its version is 2; where a release knows 1, they wait until it is replaced/,
  )
})

test('what was sensitive and is not any more is told, in every mode and under a new version too; that it is now is fine', () => {
  const open = Order.extend({ card: z.string(), items: z.array(z.object({ code: z.string() })) })
  const marked = Order.extend({
    card: z.string().meta({ sensitive: true }),
    items: z.array(z.object({ code: z.string().meta({ sensitive: true }) })),
  })
  const of = (schema: z.ZodType<Order, Order>, more = {}): Contract<Order> => placed(schema, more)
  expect(said(of(open), of(marked), 'full')).toEqual([])
  expect(said(of(marked), of(marked), 'full')).toEqual([])
  const lost = 'it was sensitive and is not any more'
  for (const mode of ['backward', 'forward', 'full'] as const)
    expect(said(of(marked), of(open), mode).map((each) => each.split(': ').slice(0, 2).join(': '))).toEqual(
      ['card', 'items[].code'].map((path) => `${mode === 'full' ? 'backward' : mode} ${path}: ${lost}`),
    )
  expect(said(of(marked), of(open, { version: 2, upcast }), 'backward')).toHaveLength(2)
  // As long as anything is marked, what is not named is hidden.
  const without = Order.extend({ items: marked.shape.items })
  expect(said(of(marked), of(without), 'backward')).toEqual([])
  expect(said(of(marked), of(Order), 'backward')).toHaveLength(2)
})

test('a key that changed within a version is told in words', () => {
  const other = placed(Order, { key: (order) => `${order.orderId}-${order.total}` })
  expect(said(placed(Order), other, 'backward')[0]).toMatch(/its key was \{orderId\} and is \{orderId\}-\{total\} now/)
  const { key: _none, ...keyless } = { stream: orders, schema: Order, key: undefined }
  expect(said(placed(Order), event('order.placed', keyless), 'forward')[0]).toMatch(
    /it had the key \{orderId\} and has none now/,
  )
  expect(
    said(placed(Order), placed(Order, { version: 2, upcast, key: (order) => String(order.total) }), 'backward'),
  ).toEqual([])
})

test('what is gone, moved, of another kind or of a lower version is told', () => {
  const elsewhere = stream('ORDERS-2', { subjects: ['order.>'], partitions: 32 })
  const moved = placed(Order, { stream: elsewhere })
  expect(said(placed(Order), moved, 'backward')).toEqual([
    expect.stringMatching(/its stream was ORDERS and is ORDERS-2 now/),
    expect.stringMatching(/its partitions was 16 and is 32 now/),
  ])
  const asCommand = command('order.placed', { stream: orders, schema: Order, key: (order) => order.orderId })
  expect(said(placed(Order), asCommand, 'backward')[0]).toMatch(/its kind was event and is command now/)
  expect(said(placed(Order, { version: 2, upcast }), placed(Order), 'backward')[0]).toMatch(/version fell from 2 to 1/)
  expect(checkContracts({ before: [placed(Order)], after: [], mode: 'full' })).toEqual([
    expect.objectContaining({ direction: 'backward', what: expect.stringMatching(/it is gone/) }),
  ])
  expect(checkContracts({ before: [], after: [placed(Order)], mode: 'full' })).toEqual([])
})

test('a snapshot is the same whatever the order it was written in, and is compared after JSON', () => {
  const paid = event('order.paid', { stream: orders, schema: z.object({ b: z.string(), a: z.string() }) })
  const flipped = event('order.paid', { stream: orders, schema: z.object({ a: z.string(), b: z.string() }) })
  const one = contractsSnapshot([placed(Order), paid])
  const text = JSON.stringify(one)
  expect(text.replace('["b","a"]', '["a","b"]')).toBe(JSON.stringify(contractsSnapshot([flipped, placed(Order)])))
  expect(checkContracts({ before: JSON.parse(text), after: [placed(Order), paid], mode: 'full' })).toEqual([])
  expect(one.contracts.map(({ type, key }) => [type, key])).toEqual([
    ['order.paid', null],
    ['order.placed', '{orderId}'],
  ])
})

test('a key that is computed is said to be, and that it is computed in another way', () => {
  const keys = [(o: Order) => o.orderId.toLowerCase(), (o: Order) => (o.total > 3 ? 'a' : 'b'), () => 'all']
  const keyOf = (key: (o: Order) => string) => contractsSnapshot([placed(Order, { key })]).contracts[0]?.key
  for (const key of keys) expect(keyOf(key)).toMatch(/^computed \([0-9a-f]{12}\)$/)
  expect(new Set(keys.map(keyOf)).size).toBe(3)
  // oxfmt-ignore
  expect(keyOf((o: Order)=>o.orderId
    .toLowerCase( ))).toBe(keyOf(keys[0]!))
  const [before, after] = [placed(Order, { key: keys[0]! }), placed(Order, { key: keys[1]! })]
  expect(said(before, placed(Order, { key: keys[0]! }), 'full')).toEqual([])
  expect(said(before, after, 'backward')[0]).toMatch(/the function that computes its key changed/)
})

test('a schema without JSON Schema, a type that is there twice and another file are refused', () => {
  const plain = { '~standard': { version: 1, vendor: 'own', validate: (value: unknown) => ({ value }) } } as never
  const dated = event('order.dated', { stream: orders, schema: z.object({ at: z.date() }) })
  const own = event('order.own', { stream: orders, schema: plain })
  expect(() => contractsSnapshot([own, dated, placed(Order), placed(Order)])).toThrow(
    /MESH_INVALID_CONTRACT.*3 faults[^]*order\.own: its schema library gives no JSON Schema[^]*order\.dated: [^]*Date[^]*order\.placed is there more than once/,
  )
  expect(contractsSnapshot([own], { jsonSchema: () => ({ type: 'string' }) }).contracts[0]?.schema).toEqual({
    type: 'string',
  })
  const check = (before: unknown) => () => checkContracts({ before: before as never, after: [], mode: 'full' })
  expect(check({ name: 'package' })).toThrow(/this is no snapshot/)
  expect(check({ malha: 'contracts', format: 2, contracts: [] })).toThrow(/it is of format 2, this release knows 1/)
})

test('requests: what is asked, what is answered and the errors named are compared', () => {
  const ask = z.object({ sku: z.string() })
  const answer = z.object({ price: z.number() })
  const errors = { 'price.unknown': z.object({ sku: z.string() }) }
  const quote = request('price.quote', { schema: ask, reply: answer, errors })
  const check = (after: typeof quote, mode: 'backward' | 'forward' | 'full') =>
    checkContracts({ before: [quote], after: [after], mode }).map(
      ({ direction, path, what }) => `${direction} ${path}: ${what}`,
    )
  expect(check(quote, 'full')).toEqual([])
  const changed = request('price.quote', {
    schema: ask.extend({ currency: z.string() }),
    reply: z.object({ price: z.number().nullable() }),
    errors: { ...errors, 'price.gone': z.object({}) },
  })
  expect(check(changed as never, 'full')).toEqual([
    'backward currency: the new schema requires it, an older request may lack it',
    'forward reply: price: a newer answer may have null here, the old contract takes none',
    'forward error price.gone: a newer answer may be it, the old contract does not name it',
  ])
  const streaming = request('price.quote', { schema: ask, reply: answer, errors, streaming: true })
  expect(check(streaming as never, 'forward')).toEqual([expect.stringMatching(/one release answers once/)])
})

test('a command that loses its priorities is told: nobody handles what waits there', () => {
  const run = (priorities: boolean) =>
    command('order.run', { stream: orders, schema: Order, key: (order) => order.orderId, priorities })
  const found = checkContracts({ before: [run(true)], after: [run(false)], mode: 'backward' })
  expect(found.map(({ what }) => what).join()).toContain('it had priorities and has none now')
  expect(checkContracts({ before: [run(false)], after: [run(true)], mode: 'backward' })).toEqual([])
})
