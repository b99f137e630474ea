/** JSON Schema, draft 2020-12, as data. */
export type JsonSchema = boolean | { readonly [keyword: string]: unknown }
export type SchemaObject = { readonly [keyword: string]: unknown }

/** Say nothing of which values are valid. */
const ANNOTATIONS = new Set([
  '$schema',
  '$id',
  '$comment',
  '$defs',
  'definitions',
  'id',
  'title',
  'description',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
  'sensitive',
])

const CONTAINS = ['contains', 'minContains', 'maxContains']
const CONDITION = ['if', 'then', 'else']
const WHOLE = ['unevaluatedProperties', 'unevaluatedItems', '$dynamicRef']

/** The keywords that one says something together with, so that its text alone is not enough; undefined: all there are. */
export function companionsOf(keyword: string): readonly string[] | undefined {
  if (WHOLE.includes(keyword)) return undefined
  return CONTAINS.includes(keyword) ? CONTAINS : [keyword]
}

/** Whether it cannot be joined with another schema keyword by keyword. */
export function isEntangled(schema: SchemaObject): boolean {
  return [...CONTAINS, ...CONDITION, ...WHOLE].some((keyword) => keyword in schema)
}

export const isObject = (value: unknown): value is SchemaObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
export const wordsOf = (value: unknown): readonly string[] => listOf(value) as readonly string[]
export const schemasOf = (value: unknown): readonly JsonSchema[] => listOf(value) as readonly JsonSchema[]

/** Two JSON values, whatever the order of their keys. */
export function isEqual(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(sorted(a)) === JSON.stringify(sorted(b))
}

/** The same JSON with its keys in order. */
export function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  )
}

/** A schema with what its `$ref`s lead to. */
export type Rooted = { readonly schema: JsonSchema; readonly root: JsonSchema }

/** Follows a local `$ref` (`#`, `#/$defs/…`, no anchor); undefined where it leads nowhere. Other keywords beside it count too. */
export function resolve({ schema, root }: Rooted): SchemaObject | undefined {
  let current: JsonSchema = schema
  for (let hops = 0; hops < 32; hops += 1) {
    if (current === true) return {}
    if (current === false) return { not: {} }
    const ref = current['$ref']
    if (ref === undefined) return withoutAnnotations(current)
    const target = typeof ref === 'string' && /^#(\/|$)/.test(ref) ? at(root, ref) : undefined
    if (target === undefined) return undefined
    const { $ref: _followed, ...beside } = withoutAnnotations(current)
    if (Object.keys(beside).length > 0) return { allOf: [target, beside] }
    current = target
  }
  return undefined
}

function at(root: JsonSchema, pointer: string): JsonSchema | undefined {
  let place: unknown = root
  for (const part of pointer.slice(1).split('/').slice(1)) {
    const key = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')
    place = isObject(place) ? place[key] : undefined
  }
  return typeof place === 'boolean' || isObject(place) ? place : undefined
}

function withoutAnnotations(schema: SchemaObject): SchemaObject {
  return Object.fromEntries(Object.entries(schema).filter(([keyword]) => !ANNOTATIONS.has(keyword)))
}

/** Values a schema names one by one; undefined where it does not. */
export function namedValues(schema: SchemaObject): readonly unknown[] | undefined {
  if ('const' in schema) return [schema['const']]
  return Array.isArray(schema['enum']) ? schema['enum'] : undefined
}

export const TYPES = ['null', 'boolean', 'integer', 'number', 'string', 'array', 'object'] as const

/** What of JSON a schema lets through, by its `type`; all when it has none. */
export function typesOf(schema: SchemaObject): readonly string[] {
  const type = schema['type']
  if (typeof type === 'string') return [type]
  return Array.isArray(type) ? (type as string[]) : TYPES.filter((name) => name !== 'integer')
}

export function typeOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return typeof value === 'number' && Number.isInteger(value) ? 'integer' : typeof value
}
