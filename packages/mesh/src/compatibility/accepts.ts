import {
  isEqual,
  isObject,
  type JsonSchema,
  listOf,
  namedValues,
  resolve,
  type SchemaObject,
  typeOf,
  wordsOf,
  schemasOf,
} from './json-schema.ts'

/**
 * Whether a schema accepts a value: for the few values that another schema names one by one. What it does not know, it
 * does not accept.
 */
export function accepts(schema: JsonSchema, root: JsonSchema, value: unknown): boolean {
  const rules = resolve({ schema, root })
  if (!rules) return false
  return Object.keys(rules).every((keyword) => CHECKS[keyword]?.({ rules, root, value }) ?? false)
}

type Check = (about: { rules: SchemaObject; root: JsonSchema; value: unknown }) => boolean

const ok: Check = () => true
const number = (test: (value: number, limit: number) => boolean, keyword: string): Check => {
  return ({ rules, value }) => typeof value !== 'number' || test(value, Number(rules[keyword]))
}
const length = (test: (length: number, limit: number) => boolean, keyword: string): Check => {
  return ({ rules, value }) => typeof value !== 'string' || test(Array.from(value).length, Number(rules[keyword]))
}
const entries = (value: unknown): [string, unknown][] => (isObject(value) ? Object.entries(value) : [])
const matching = (list: unknown, root: JsonSchema, value: unknown): number =>
  schemasOf(list).filter((member) => accepts(member, root, value)).length

const CHECKS: Record<string, Check> = {
  type: ({ rules, value }) => {
    const types = wordsOf([rules['type']].flat())
    const type = typeOf(value)
    return types.includes(type) || (type === 'integer' && types.includes('number'))
  },
  const: ({ rules, value }) => isEqual(rules['const'], value),
  enum: ({ rules, value }) => namedValues({ enum: rules['enum'] })?.some((named) => isEqual(named, value)) ?? false,
  anyOf: ({ rules, root, value }) => matching(rules['anyOf'], root, value) > 0,
  oneOf: ({ rules, root, value }) => matching(rules['oneOf'], root, value) === 1,
  allOf: ({ rules, root, value }) => matching(rules['allOf'], root, value) === listOf(rules['allOf']).length,
  not: ({ rules, root, value }) => !accepts(rules['not'] as JsonSchema, root, value),
  minimum: number((value, limit) => value >= limit, 'minimum'),
  maximum: number((value, limit) => value <= limit, 'maximum'),
  exclusiveMinimum: number((value, limit) => value > limit, 'exclusiveMinimum'),
  exclusiveMaximum: number((value, limit) => value < limit, 'exclusiveMaximum'),
  multipleOf: number((value, limit) => Number.isInteger(value / limit), 'multipleOf'),
  minLength: length((size, limit) => size >= limit, 'minLength'),
  maxLength: length((size, limit) => size <= limit, 'maxLength'),
  pattern: ({ rules, value }) => typeof value !== 'string' || matches(String(rules['pattern']), value),
  required: ({ rules, value }) =>
    !isObject(value) || wordsOf(rules['required']).every((key) => Object.hasOwn(value, key)),
  properties: ({ rules, root, value }) => {
    const properties = rules['properties'] as SchemaObject
    return entries(value).every(
      ([key, one]) => !Object.hasOwn(properties, key) || accepts(properties[key] as JsonSchema, root, one),
    )
  },
  additionalProperties: ({ rules, root, value }) => {
    const known = isObject(rules['properties']) ? rules['properties'] : {}
    const rest = rules['additionalProperties'] as JsonSchema
    return entries(value).every(([key, one]) => Object.hasOwn(known, key) || accepts(rest, root, one))
  },
  items: ({ rules, root, value }) =>
    listOf(value)
      .slice(listOf(rules['prefixItems']).length)
      .every((item) => accepts(rules['items'] as JsonSchema, root, item)),
  prefixItems: ({ rules, root, value }) =>
    schemasOf(rules['prefixItems']).every(
      (schema, place) => place >= listOf(value).length || accepts(schema, root, listOf(value)[place]),
    ),
  minItems: ({ rules, value }) => !Array.isArray(value) || value.length >= Number(rules['minItems']),
  maxItems: ({ rules, value }) => !Array.isArray(value) || value.length <= Number(rules['maxItems']),
  contentEncoding: ok,
  contentMediaType: ok,
}

function matches(pattern: string, value: string): boolean {
  try {
    return new RegExp(pattern, 'u').test(value)
  } catch {
    return false
  }
}
