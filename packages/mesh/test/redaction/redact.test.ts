import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { standardJsonSchema } from '../../src/compatibility/snapshot.ts'
import { redactorOf } from '../../src/redaction/redact.ts'

const secret = z.string().meta({ sensitive: true })
const redact = (schema: z.ZodType, value: unknown): unknown =>
  redactorOf([standardJsonSchema(schema)]).redact(value).value

describe('what a contract marks is hidden', () => {
  it.each<[string, z.ZodType, unknown, unknown]>([
    ['a field', z.object({ a: z.string(), b: secret }), { a: 'x', b: 's' }, { a: 'x', b: '[redacted]' }],
    ['one that may be left out', z.object({ b: secret.optional() }), { b: 's' }, { b: '[redacted]' }],
    [
      'one marked after that',
      z.object({ b: z.string().optional().meta({ sensitive: true }) }),
      { b: 's' },
      { b: '[redacted]' },
    ],
    ['one with a default', z.object({ b: secret.default('d') }), { b: 's' }, { b: '[redacted]' }],
    ['one that may be null', z.object({ b: secret.nullable() }), { b: 's' }, { b: '[redacted]' }],
    ['a number', z.object({ b: z.number().meta({ sensitive: true }) }), { b: 4711 }, { b: '[redacted]' }],
    [
      'a whole object',
      z.object({ b: z.object({ c: z.string() }).meta({ sensitive: true }) }),
      { b: { c: 's' } },
      { b: '[redacted]' },
    ],
    [
      'in a list',
      z.object({ b: z.array(z.object({ c: secret, d: z.int() })) }),
      {
        b: [
          { c: 's', d: 1 },
          { c: 't', d: 2 },
        ],
      },
      {
        b: [
          { c: '[redacted]', d: 1 },
          { c: '[redacted 2]', d: 2 },
        ],
      },
    ],
    ['in a tuple', z.tuple([z.string(), secret], z.int()), ['a', 's', 1], ['a', '[redacted]', 1]],
    ['values of a record', z.record(z.string(), secret), { a: 's' }, { a: '[redacted]' }],
    ['names of a record', z.record(secret, z.int()), { s: 1 }, { '[redacted]': 1 }],
    [
      'what is transformed',
      z.object({ b: z.string().transform(Number).meta({ sensitive: true }) }),
      { b: 's' },
      { b: '[redacted]' },
    ],
    ['what is transformed after it', z.object({ b: secret.transform(Number) }), { b: 's' }, { b: '[redacted]' }],
    ['what is refined', z.object({ b: secret.refine(() => true) }), { b: 's' }, { b: '[redacted]' }],
    [
      'in an intersection',
      z.intersection(z.object({ a: z.string() }), z.object({ b: secret })),
      { a: 'x', b: 's' },
      { a: 'x', b: '[redacted]' },
    ],
    [
      'in one member of a union, whichever it is',
      z.union([z.object({ a: z.string() }), z.object({ a: secret })]),
      { a: 's' },
      { a: '[redacted]' },
    ],
    [
      'in a discriminated union',
      z.discriminatedUnion('k', [
        z.object({ k: z.literal('x'), v: z.string() }),
        z.object({ k: z.literal('y'), w: secret }),
      ]),
      { k: 'y', w: 's' },
      { k: 'y', w: '[redacted]' },
    ],
    ['at the root', secret, 's', '[redacted]'],
  ])('%s', (_, schema, value, shown) => {
    expect(redact(schema, value)).toEqual(shown)
  })

  it('in a schema that contains itself, however deep', () => {
    type Tree = { name: string; token: string; children: Tree[] }
    const tree: z.ZodType<Tree> = z.lazy(() => z.object({ name: z.string(), token: secret, children: z.array(tree) }))
    const value = { name: 'a', token: 's', children: [{ name: 'b', token: 't', children: [] }] }
    expect(redact(tree, value)).toEqual({
      name: 'a',
      token: '[redacted]',
      children: [{ name: 'b', token: '[redacted 2]', children: [] }],
    })
  })

  it('by a reference, and by one that cannot be followed', () => {
    const card = { $ref: '#/$defs/Card' }
    const schema = {
      properties: { a: card, b: card, c: { type: 'integer' } },
      $defs: { Card: { properties: { number: { type: 'string' } }, sensitive: true } },
    }
    expect(redactorOf([schema]).redact({ a: { number: 's' }, b: { number: 't' }, c: 1 }).value).toEqual({
      a: '[redacted]',
      b: '[redacted 2]',
      c: 1,
    })
    const elsewhere = { properties: { a: { $ref: 'https://example.org/card' }, b: { sensitive: true } } }
    expect(redactorOf([elsewhere]).redact({ a: 'x', b: 's' }).value).toEqual({ a: '[redacted]', b: '[redacted 2]' })
  })
})

describe('in a contract that marks anything', () => {
  const schema = z.object({ user: z.object({ name: z.string(), card: secret }), n: z.int(), any: z.unknown() })

  it('what no schema names is hidden, and what is of another kind than is expected', () => {
    expect(redact(schema, { user: { name: 'a', crad: 's' }, n: 's', more: 's', any: { x: [1] } })).toEqual({
      user: { name: 'a', crad: '[redacted]' },
      n: '[redacted 2]',
      more: '[redacted 3]',
      any: { x: [1] },
    })
    expect(redact(schema, { user: 's' })).toEqual({ user: '[redacted]' })
    expect(redact(schema, ['s'])).toBe('[redacted]')
  })

  it('what one service marks is hidden, though another does not', () => {
    const other = z.object({ n: z.int(), user: z.object({ name: z.string(), card: z.string() }) })
    const both = redactorOf([schema, other].map((one) => standardJsonSchema(one)))
    expect(both.redact({ n: 1, user: { name: 'a', card: 's' } }).value).toEqual({
      n: 1,
      user: { name: 'a', card: '[redacted]' },
    })
  })

  it('nothing stands for what is hidden that is in the value already', () => {
    const { value, hidden } = redactorOf([standardJsonSchema(z.object({ a: z.string(), b: secret }))]).redact({
      a: 'see [redacted]',
      b: 's',
    })
    expect(value).toEqual({ a: 'see [redacted]', b: '[redacted 2]' })
    expect(hidden).toEqual(new Map([['[redacted 2]', 's']]))
  })

  it('what is nested deeper than can be walked is hidden whole', () => {
    let deep: unknown = 's'
    for (let n = 0; n < 200_000; n += 1) deep = [deep]
    expect(redact(schema, { any: deep })).toBe('[redacted]')
  })
})

it('a contract that marks nothing shows everything, also what it does not name', () => {
  const value = { a: 1, more: 's', sensitive: true }
  expect(redact(z.object({ a: z.string(), sensitive: z.boolean() }), value)).toBe(value)
})

describe('whatever the schema and the value', () => {
  /** A schema, a value of it, and where it is marked. Each secret is a text of its own. */
  type Made = { schema: z.ZodType; value: unknown; secrets: string[] }
  let count = 0
  const plain = (): fc.Arbitrary<Made> =>
    fc.oneof(
      fc.string().map((value) => ({ schema: z.string(), value, secrets: [] })),
      fc.integer().map((value) => ({ schema: z.number(), value, secrets: [] })),
      fc.constant<Made>({ schema: z.null(), value: null, secrets: [] }),
    )
  const hidden = (): fc.Arbitrary<Made> =>
    fc.constantFrom('text', 'object', 'list').map((kind) => {
      count += 1
      const text = `SECRET-${count}-END`
      const made = { text, object: { inside: text }, list: [text] }[kind]
      const schemas = { text: z.string(), object: z.object({ inside: z.string() }), list: z.array(z.string()) }
      return { schema: schemas[kind as 'text'].meta({ sensitive: true }), value: made, secrets: [text] }
    })
  const { made } = fc.letrec<{ made: Made }>((tie) => ({
    made: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      plain(),
      hidden(),
      fc.dictionary(fc.string({ maxLength: 8 }), tie('made'), { maxKeys: 4 }).map((parts) => ({
        schema: z.object(Object.fromEntries(Object.entries(parts).map(([name, { schema }]) => [name, schema]))),
        value: Object.fromEntries(Object.entries(parts).map(([name, { value }]) => [name, value])),
        secrets: Object.values(parts).flatMap(({ secrets }) => secrets),
      })),
      fc.array(tie('made'), { maxLength: 4 }).map((parts) => ({
        schema:
          parts.length === 0
            ? z.array(z.string())
            : z.array(z.union(parts.map(({ schema }) => schema) as [z.ZodType, z.ZodType])),
        value: parts.map(({ value }) => value),
        secrets: parts.flatMap(({ secrets }) => secrets),
      })),
      tie('made').map(({ schema, ...rest }) => ({ schema: schema.optional(), ...rest })),
      tie('made').map(({ schema, value, secrets }) => ({
        schema: z.record(z.string(), schema),
        value: { any: value },
        secrets,
      })),
      tie('made').map(({ schema, ...rest }) => ({ schema: z.union([z.object({ other: z.int() }), schema]), ...rest })),
    ),
  }))

  it('no text that is marked is in what is shown, and all of it can be put back', () => {
    fc.assert(
      fc.property(made, ({ schema, value, secrets }) => {
        const { value: shown, hidden: notes } = redactorOf([standardJsonSchema(schema)]).redact(value)
        const text = JSON.stringify(shown)
        expect(secrets.filter((one) => text.includes(one))).toEqual([])
        expect(putBack(shown, notes)).toEqual(value)
      }),
      { numRuns: 300 },
    )
  })

  it('nor where a value stands in another place than it belongs to', () => {
    const isHidden = fc.property(
      made,
      made,
      fc.string().filter((name) => name !== 'a'),
      ({ schema }, { value, secrets }, name) => {
        const marked = z.object({ a: schema, own: secret })
        const { value: shown } = redactorOf([standardJsonSchema(marked)]).redact({ [name]: value, own: 'SECRET' })
        const text = JSON.stringify(shown)
        return !secrets.some((one) => text.includes(one))
      },
    )
    expect(() => fc.assert(isHidden, { numRuns: 200 })).not.toThrow()
  })

  function putBack(shown: unknown, notes: ReadonlyMap<string, unknown>): unknown {
    if (typeof shown === 'string') return notes.has(shown) ? notes.get(shown) : shown
    if (Array.isArray(shown)) return shown.map((item) => putBack(item, notes))
    if (typeof shown !== 'object' || shown === null) return shown
    return Object.fromEntries(Object.entries(shown).map(([name, inside]) => [name, putBack(inside, notes)]))
  }
})
