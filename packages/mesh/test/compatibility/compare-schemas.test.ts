import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { compareSchemas } from '../../src/compatibility/compare-schemas.ts'
import type { JsonSchema } from '../../src/compatibility/json-schema.ts'
import { changed, someObject, someSchema, someValue } from './some-schemas.ts'

/** More find more: 30,000 were run when this was written. */
const RUNS = 600

const words = { writer: 'an older event', reader: 'the new schema' }
const jsonOf = (schema: z.ZodType): JsonSchema => schema['~standard'].jsonSchema.input({ target: 'draft-2020-12' })
const paths = (from: z.ZodType, to: z.ZodType): string[] =>
  compareSchemas(jsonOf(from), jsonOf(to), words).map(({ path, what }) => `${path}: ${what}`)

const Order = z.object({ orderId: z.string().min(1), total: z.number(), lines: z.array(z.object({ sku: z.string() })) })

test('what only widens is compatible', () => {
  expect(paths(Order, Order)).toEqual([])
  expect(paths(Order, Order.extend({ note: z.string().optional() }))).toEqual([])
  expect(paths(Order, Order.extend({ orderId: z.string(), total: z.number().nullable() }))).toEqual([])
  expect(paths(Order, Order.omit({ total: true }))).toEqual([])
  expect(paths(Order.extend({ total: z.int() }), Order)).toEqual([])
  expect(paths(z.enum(['a', 'b']), z.enum(['a', 'b', 'c']))).toEqual([])
  expect(paths(z.literal('a'), z.string().max(3))).toEqual([])
  expect(paths(z.strictObject({ a: z.string() }), z.strictObject({ a: z.string(), b: z.int().optional() }))).toEqual([])
  expect(paths(z.object({ kind: z.string() }), z.record(z.string(), z.unknown()))).toEqual([])
})

test('what narrows is told by path and in words', () => {
  expect(paths(Order, Order.extend({ note: z.string() }))).toEqual([
    'note: the new schema requires it, an older event may lack it',
  ])
  expect(paths(Order, Order.extend({ total: z.int() }))).toEqual([
    'total: an older event may have a number here, the new schema takes none',
  ])
  expect(paths(Order, Order.extend({ lines: z.array(z.object({ sku: z.string().max(8) })) }))).toEqual([
    'lines[].sku: an older event may have any number of characters, the new schema takes 8 at most',
  ])
  expect(paths(z.strictObject({ a: z.string(), b: z.string() }), z.strictObject({ a: z.string() }))).toEqual([
    'b: an older event may have it, the new schema knows no such property and refuses it',
  ])
  expect(paths(z.record(z.string(), z.unknown()), z.record(z.string(), z.number()))).not.toEqual([])
  expect(paths(z.record(z.string(), z.unknown()), z.strictObject({}))).not.toEqual([])
  expect(paths(z.enum(['a', 'b']), z.enum(['a', 'c']))).toEqual([
    ': an older event may have "b" here, the new schema does not take it',
  ])
  expect(paths(z.string(), z.enum(['a', 'c']))).toEqual([
    ': an older event may have any string here, the new schema takes "a", "c" only',
  ])
  expect(paths(z.string().nullable(), z.string())).toEqual([
    ': an older event may have null here, the new schema takes none',
  ])
  expect(paths(z.string(), z.email())[0]).toMatch(/wants the pattern .* which an older event need not have/)
})

test('alternatives are compared each with the one that fits it', () => {
  const card = z.object({ by: z.literal('card'), digits: z.string() })
  const cash = z.object({ by: z.literal('cash') })
  const pix = z.object({ by: z.literal('pix'), key: z.string() })
  expect(paths(z.discriminatedUnion('by', [card, cash]), z.discriminatedUnion('by', [cash, card, pix]))).toEqual([])
  const shorter = card.extend({ digits: z.string().max(4) })
  expect(paths(z.discriminatedUnion('by', [card, cash]), z.discriminatedUnion('by', [shorter, cash]))).toEqual([
    'digits: an older event may have any number of characters, the new schema takes 4 at most',
  ])
  expect(paths(z.discriminatedUnion('by', [card, pix]), z.discriminatedUnion('by', [card, cash]))).not.toEqual([])
})

test('a schema that contains itself is compared, and its changes are found', () => {
  const tree = (label: z.ZodType): z.ZodType => {
    const node: z.ZodType = z.object({
      label,
      get children() {
        return z.array(node)
      },
    })
    return node
  }
  expect(paths(tree(z.string()), tree(z.string()))).toEqual([])
  expect(paths(tree(z.string()), tree(z.string().nullable()))).toEqual([])
  expect(paths(tree(z.string()), tree(z.string().max(3)))[0]).toMatch(/^label: .* 3 at most$/)
})

test('what it cannot compare it calls neither compatible nor nothing', () => {
  expect(compareSchemas({ type: 'string' }, { type: 'string', not: { const: 'x' } }, words)[0]?.what).toMatch(
    /cannot be told: not/,
  )
  expect(compareSchemas({ $ref: '#/$defs/gone' }, { type: 'string' }, words)[0]?.what).toMatch(
    /cannot be told: a \$ref/,
  )
  const overlapping = { oneOf: [{ type: 'integer' }, { minimum: 3 }] }
  expect(compareSchemas({ type: 'integer' }, overlapping, words)[0]?.what).toMatch(/cannot be told: the alternatives/)
  expect(compareSchemas(overlapping, overlapping, words)).toEqual([])
})

test('keywords that say something only together with others are not compared by their text alone', () => {
  const [a, b] = [{ type: 'string' }, { type: 'integer' }]
  const closed = (properties: object) => ({ type: 'object', properties, unevaluatedProperties: false })
  const list = (more: object) => ({ type: 'array', ...more })
  const cannotTell = (from: JsonSchema, to: JsonSchema, keyword: string) =>
    expect(compareSchemas(from, to, words).map(({ what }) => what)).toContainEqual(
      expect.stringContaining(`cannot be told: ${keyword}`),
    )
  cannotTell(closed({ a, b }), closed({ a }), 'unevaluatedProperties')
  cannotTell(
    list({ prefixItems: [a, b], unevaluatedItems: false }),
    list({ prefixItems: [a], unevaluatedItems: false }),
    'unevaluatedItems',
  )
  cannotTell(list({ contains: b, minContains: 0 }), list({ contains: b }), 'contains')
  expect(compareSchemas(closed({ a, b }), closed({ a, b }), words)).toEqual([])
  expect(compareSchemas(list({ contains: b, maxItems: 3 }), list({ contains: b }), words)).toEqual([])
  const joined = { allOf: [{ contains: b }, { minContains: 0 }] }
  expect(compareSchemas(joined, list({ contains: b, minContains: 0 }), words)).not.toEqual([])
  // An anchor is not followed, a dynamic reference is one too.
  const anchored = (other: object) => ({ $defs: { x: { $anchor: 'x', ...other } }, properties: { a: { $ref: '#x' } } })
  expect(compareSchemas(anchored(a), anchored(b), words)).not.toEqual([])
  const dynamic = (other: object) => ({ $defs: { x: other }, properties: { a: { $dynamicRef: '#/$defs/x' } } })
  expect(compareSchemas(dynamic(a), dynamic(b), words)).not.toEqual([])
})

test('parts that refer to each other many times over are compared once each', () => {
  const two = (n: number) => ({
    type: 'object',
    properties: { a: { $ref: `#/$defs/${n}` }, b: { $ref: `#/$defs/${n}` } },
  })
  const tower = (top: object) => ({
    $ref: '#/$defs/0',
    $defs: Object.fromEntries(Array.from({ length: 60 }, (_, n) => [n, n === 59 ? top : two(n + 1)])),
  })
  const [wide, narrow] = [{ type: 'string' }, { type: 'string', maxLength: 3 }]
  expect(compareSchemas(tower(narrow), tower(wide), words)).toEqual([])
  const found = compareSchemas(tower(wide), tower(narrow), words)
  expect(found.length).toBeLessThan(200)
  expect(found[0]).toEqual({
    path: Array.from({ length: 59 }, () => 'a').join('.'),
    what: 'an older event may have any number of characters, the new schema takes 3 at most',
  })
  expect(found[1]?.path).toMatch(/^(a\.){58}b$/)
  expect(found.at(-1)).toEqual({ path: 'b', what: expect.stringMatching(/^it is as at a: \d+ reasons$/) })
  // Each refers to all.
  const knot = (leaf: object) => {
    const all = Array.from({ length: 14 }, (_, n) => [`n${n}`, { $ref: `#/$defs/n${n}` }] as const)
    const node = (name: string) => [name, { type: 'object', properties: { ...Object.fromEntries(all), leaf } }] as const
    return { $ref: '#/$defs/n0', $defs: Object.fromEntries(all.map(([name]) => node(name))) }
  }
  expect(compareSchemas(knot(narrow), knot(wide), words)).toEqual([])
  expect(compareSchemas(knot(wide), knot(narrow), words)[0]?.path).toMatch(/leaf$/)
})

test('if it says compatible, every older value fits the newer schema', () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, addUsedSchema: false })
  let compatible = 0
  let values = 0
  const pair = fc
    .oneof(someSchema, someObject)
    .chain((from) => fc.tuple(fc.constant(from), fc.oneof(changed(from), changed(from).chain(changed), someSchema)))
  fc.assert(
    fc.property(
      pair.chain(([from, to]) =>
        fc.tuple(fc.constant(from), fc.constant(to), fc.array(someValue(from), { maxLength: 20 })),
      ),
      ([from, to, some]) => {
        if (compareSchemas(from, to, words).length > 0) return
        compatible += 1
        const [isOld, isNew] = [ajv.compile(from), ajv.compile(to)]
        const old = some.filter((value) => isOld(value))
        values += old.length
        expect(old.filter((value) => !isNew(value))).toEqual([])
      },
    ),
    { numRuns: RUNS },
  )
  // Else it would say nothing.
  expect(compatible).toBeGreaterThan(RUNS / 10)
  expect(values).toBeGreaterThan(RUNS / 4)
}, 60_000)

test('every schema is compatible with itself', () => {
  fc.assert(
    fc.property(someSchema, (schema) => {
      expect(compareSchemas(schema, structuredClone(schema), words)).toEqual([])
    }),
    { numRuns: 500 },
  )
})

test('an alternative that contains itself cannot be told, and is said so', () => {
  const endless: JsonSchema = { anyOf: [{ $ref: '#' }, { $ref: '#' }, { type: 'string' }] }
  expect(compareSchemas(endless, { type: 'string' }, words)).not.toEqual([])
  expect(compareSchemas({ type: 'string' }, endless, words)).not.toEqual([])
  expect(compareSchemas(endless, endless, words)).toEqual([])
})
