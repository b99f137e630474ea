import { isEntangled, isEqual, isObject, type JsonSchema, listOf, resolve, type SchemaObject } from './json-schema.ts'

/**
 * One schema that takes what all of these take; undefined where that cannot be written down. For objects property by
 * property, as zod and others write an intersection.
 */
export function intersection(members: readonly JsonSchema[], root: JsonSchema): SchemaObject | undefined {
  let joined: SchemaObject | undefined = {}
  for (const member of members) {
    const rules = resolve({ schema: member, root })
    joined = rules && joined && join(joined, rules)
  }
  return joined
}

function join(a: SchemaObject, b: SchemaObject): SchemaObject | undefined {
  if (Object.keys(a).length === 0) return b
  if (Object.keys(b).length === 0) return a
  if (isEntangled(a) || isEntangled(b)) return undefined
  const joined: Record<string, unknown> = { ...a }
  for (const [keyword, value] of Object.entries(b)) {
    const known = joined[keyword]
    const both = known === undefined || isEqual(known, value) ? value : JOIN[keyword]?.(known, value)
    if (both === undefined) return undefined
    joined[keyword] = both
  }
  return isClosedApart(a, b) ? undefined : joined
}

/** `additionalProperties` of one speaks of the properties only the other names. */
function isClosedApart(a: SchemaObject, b: SchemaObject): boolean {
  const names = (schema: SchemaObject): string =>
    Object.keys(isObject(schema['properties']) ? schema['properties'] : {})
      .sort()
      .join()
  const isOpen = (schema: SchemaObject): boolean =>
    [undefined, true].includes(schema['additionalProperties'] as undefined)
  const hasProperties = (schema: SchemaObject): boolean => isObject(schema['properties']) || !isOpen(schema)
  if (!hasProperties(a) || !hasProperties(b)) return false
  return (!isOpen(a) || !isOpen(b)) && names(a) !== names(b)
}

const largest = (a: unknown, b: unknown): number => Math.max(Number(a), Number(b))
const smallest = (a: unknown, b: unknown): number => Math.min(Number(a), Number(b))

const JOIN: Record<string, (a: unknown, b: unknown) => unknown> = {
  type: joinTypes,
  required: (a, b) => [...new Set([...listOf(a), ...listOf(b)])],
  properties: (a, b) => {
    const properties: Record<string, unknown> = { ...(a as SchemaObject) }
    for (const [name, schema] of Object.entries(b as SchemaObject))
      properties[name] = name in properties ? { allOf: [properties[name], schema] } : schema
    return properties
  },
  minimum: largest,
  maximum: smallest,
  exclusiveMinimum: largest,
  exclusiveMaximum: smallest,
  minLength: largest,
  maxLength: smallest,
  minItems: largest,
  maxItems: smallest,
  minProperties: largest,
  maxProperties: smallest,
}

/** The types that both have; an integer is a number. */
function joinTypes(a: unknown, b: unknown): unknown {
  const [one, other] = [[a].flat(), [b].flat()] as [string[], string[]]
  const has = (types: readonly string[], type: string): boolean =>
    types.includes(type) || (type === 'integer' && types.includes('number'))
  const common = [...new Set([...one.filter((type) => has(other, type)), ...other.filter((type) => has(one, type))])]
  return common.length === 0 ? undefined : common
}
