import fc from 'fast-check'

export type Schema = Record<string, unknown>

const size = fc.integer({ min: 0, max: 4 })
const NAMES = ['a', 'b', 'c'] as const
const name = fc.constantFrom(...NAMES)
const plain = fc.oneof(fc.string({ maxLength: 3 }), fc.integer({ min: -3, max: 3 }), fc.boolean(), fc.constant(null))

const optional = (rules: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Schema> =>
  fc.record(rules, { requiredKeys: [] }) as fc.Arbitrary<Schema>

const typed = (type: unknown, rules: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Schema> =>
  optional(rules).map((more) => ({ type, ...more }))

/** Schemas of the kinds that contracts are made of, three levels deep. */
export const someSchema: fc.Arbitrary<Schema> = fc.letrec<{ schema: Schema }>((tie) => {
  const inner = tie('schema')
  const limits = { minimum: fc.integer({ min: -5, max: 0 }), maximum: fc.integer({ min: 0, max: 5 }) }
  return {
    schema: fc.oneof(
      { depthSize: 'small', maxDepth: 2 },
      typed('string', { minLength: fc.constantFrom(0, 1, 2), maxLength: fc.constantFrom(3, 5) }),
      typed('integer', { ...limits, multipleOf: fc.constantFrom(1, 2) }),
      typed('number', { ...limits, exclusiveMaximum: fc.constantFrom(3, 6) }),
      fc.constantFrom<Schema>({ type: 'boolean' }, { type: 'null' }, { type: ['string', 'null'] }, {}),
      fc.uniqueArray(plain, { minLength: 1, maxLength: 3 }).map((values) => ({ enum: values })),
      plain.map((value) => ({ const: value })),
      typed('array', { items: inner, minItems: fc.constantFrom(0, 1), maxItems: fc.constantFrom(2, 3) }),
      typed('array', { prefixItems: fc.array(inner, { minLength: 1, maxLength: 2 }), items: inner }),
      fc.array(inner, { minLength: 1, maxLength: 3 }).map((members) => ({ anyOf: members })),
      fc.array(inner, { minLength: 1, maxLength: 2 }).map((members) => ({ oneOf: members })),
      fc.tuple(objects(inner), objects(inner)).map((members) => ({ allOf: members })),
      objects(inner),
    ),
  }
}).schema

/** What most payloads are. */
export const someObject: fc.Arbitrary<Schema> = objects(someSchema)

function objects(inner: fc.Arbitrary<Schema>): fc.Arbitrary<Schema> {
  return typed('object', {
    properties: fc.dictionary(name, inner, { maxKeys: 3 }),
    required: fc.uniqueArray(name, { maxLength: 2 }),
    additionalProperties: fc.oneof(fc.constant(false), inner),
  })
}

/** The same schema with a little changed somewhere: looser, tighter, or only written otherwise. */
export function changed(schema: Schema): fc.Arbitrary<Schema> {
  const here: fc.Arbitrary<Schema>[] = [
    fc.constant({ anyOf: [schema, { type: 'null' }] }),
    fc.constant({ allOf: [schema] }),
    someSchema.map((other) => ({ oneOf: [schema, other] })),
    size.map((n) => ({ ...schema, maxLength: n + 2 })),
    size.map((n) => ({ ...schema, maximum: n })),
    ...Object.keys(schema).map((keyword) => fc.constant(without(schema, keyword))),
  ]
  if (schema['type'] === 'integer') here.push(fc.constant({ ...schema, type: 'number' }))
  if (schema['type'] === 'object') {
    const properties = (schema['properties'] ?? {}) as Record<string, Schema>
    here.push(
      name.map((key) => ({ ...schema, additionalProperties: false, properties: without(properties, key) })),
      fc.tuple(name, someSchema).map(([key, one]) => ({ ...schema, properties: { ...properties, [key]: one } })),
      name.map((key) => ({ ...schema, properties: without(properties, key) })),
      fc.uniqueArray(name, { maxLength: 3 }).map((required) => ({ ...schema, required })),
      ...Object.entries(properties).map(([key, one]) =>
        fc
          .memo((depth) => (depth > 0 ? changed(one) : fc.constant(one)))(2)
          .map((other) => ({ ...schema, properties: { ...properties, [key]: other } })),
      ),
    )
  }
  for (const list of ['anyOf', 'oneOf']) {
    const members = schema[list] as Schema[] | undefined
    if (members)
      here.push(
        someSchema.map((more) => ({
          ...schema,
          anyOf: [...members, more],
          ...(list === 'oneOf' && { oneOf: members }),
        })),
      )
  }
  return fc.oneof(fc.constant(schema), ...here)
}

function without(schema: Schema, keyword: string): Schema {
  const { [keyword]: _gone, ...rest } = schema
  return rest
}

/** Values that such a schema may let through; the caller sees which do. No properties that it does not name, unless it says of what kind. */
export function someValue(schema: Schema): fc.Arbitrary<unknown> {
  if (Object.keys(schema).length === 0) return fc.jsonValue({ maxDepth: 1 })
  if ('const' in schema) return fc.constant(schema['const'])
  if (Array.isArray(schema['enum'])) return fc.constantFrom(...(schema['enum'] as unknown[]))
  const members = (schema['anyOf'] ?? schema['oneOf']) as Schema[] | undefined
  if (members) return fc.oneof(...members.map(someValue))
  const all = schema['allOf'] as Schema[] | undefined
  if (all) {
    const [first = {}, second = {}] = all
    return fc
      .tuple(someValue(first), someValue(second))
      .map(([a, b]) => (isRecord(a) && isRecord(b) ? { ...a, ...b } : a))
  }
  const types = [schema['type'] ?? ['string', 'number', 'boolean', 'null', 'array', 'object']].flat() as string[]
  return fc.oneof(...types.map((type) => valueOf(type, schema)))
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function valueOf(type: string, schema: Schema): fc.Arbitrary<unknown> {
  if (type === 'string') return fc.string({ maxLength: 6 })
  if (type === 'integer') return fc.integer({ min: -6, max: 7 })
  if (type === 'number') return fc.oneof(fc.integer({ min: -6, max: 7 }), fc.constantFrom(0.5, -2.5, 2.999))
  if (type === 'boolean') return fc.boolean()
  if (type === 'null') return fc.constant(null)
  if (type === 'array') {
    const first = (schema['prefixItems'] ?? []) as Schema[]
    const rest = fc.array(someValue((schema['items'] ?? {}) as Schema), { maxLength: 3 })
    return fc.tuple(fc.tuple(...first.map(someValue)), rest).map(([a, b]) => [...a, ...b])
  }
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, Schema>)
  const named = fc.record(Object.fromEntries(properties.map(([key, one]) => [key, someValue(one)])), {
    requiredKeys: [],
  })
  const others = schema['additionalProperties']
  if (!isRecord(others) || Object.keys(others).length === 0) return named
  return fc
    .tuple(fc.dictionary(fc.constantFrom(...NAMES, 'd'), someValue(others), { maxKeys: 2 }), named)
    .map(([more, own]) => ({ ...more, ...own }))
}
