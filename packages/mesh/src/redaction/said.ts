/** What schemas say of one place in a value: all that any of them says, since nothing tells which of a union's members counts. */
import {
  isObject,
  type JsonSchema,
  schemasOf,
  type SchemaObject,
  typeOf,
  typesOf,
} from '../compatibility/json-schema.ts'

/** A schema without references and combinations, with the document it stands in. */
export type Said = { readonly rules: SchemaObject; readonly root: JsonSchema }

/** Something is said that is not understood here: what it is about is hidden. */
const OPAQUE: SchemaObject = { sensitive: true }
const COMBINED = ['allOf', 'anyOf', 'oneOf', 'if', 'then', 'else', 'dependentSchemas', 'not', '$ref']
/** What says nothing of a value: beside a reference it does not make room for everything. */
const NOTES = ['title', 'description', 'default', 'examples', 'deprecated', 'readOnly', 'writeOnly', 'id', '$id']
const MAPS = ['$defs', 'definitions', '$schema', '$comment']

/** A list of a thousand has the same schema a thousand times. */
const known = new WeakMap<SchemaObject, readonly Said[]>()

/** All that a schema says of the place it is for. */
export function saidBy(schema: JsonSchema, root: JsonSchema): readonly Said[] {
  if (typeof schema === 'boolean') return schema ? [{ rules: {}, root }] : []
  const before = known.get(schema)
  if (before && (before.length === 0 || before[0]!.root === root)) return before
  const said = spread(schema, root, new Set()).map((rules) => ({ rules, root }))
  known.set(schema, said)
  return said
}

function spread(schema: JsonSchema, root: JsonSchema, seen: Set<unknown>): SchemaObject[] {
  if (schema === true) return [{}]
  if (schema === false || seen.has(schema)) return []
  seen.add(schema)
  const inside = membersOf(schema, root).flatMap((member) => spread(member, root, seen))
  const own = without(schema, [...COMBINED, ...MAPS])
  const saysNothing = Object.keys(without(own, NOTES)).length === 0
  const isCombined = COMBINED.some((keyword) => keyword in schema)
  return isCombined && saysNothing ? inside : [own, ...inside]
}

function membersOf(schema: SchemaObject, root: JsonSchema): JsonSchema[] {
  const { $ref, $dynamicRef, if: condition, then, else: otherwise, dependentSchemas } = schema
  const one = (member: unknown): JsonSchema[] => (member === undefined ? [] : [member as JsonSchema])
  return [
    ...['allOf', 'anyOf', 'oneOf'].flatMap((keyword) => schemasOf(schema[keyword])),
    ...[condition, then, otherwise].flatMap(one),
    ...(isObject(dependentSchemas) ? (Object.values(dependentSchemas) as JsonSchema[]) : []),
    ...($ref === undefined ? [] : [targetOf($ref, root)]),
    ...($dynamicRef === undefined ? [] : [OPAQUE]),
  ]
}

function targetOf(ref: unknown, root: JsonSchema): JsonSchema {
  if (typeof ref !== 'string' || !/^#(\/|$)/.test(ref)) return OPAQUE
  let place: unknown = root
  for (const part of ref.slice(1).split('/').slice(1)) {
    const key = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')
    place = isObject(place) && Object.hasOwn(place, key) ? place[key] : undefined
  }
  return typeof place === 'boolean' || isObject(place) ? place : OPAQUE
}

/** What is said of a property; nothing where none names it. */
export function ofProperty({ rules, root }: Said, name: string): Said[] {
  const { properties, patternProperties, additionalProperties, unevaluatedProperties } = rules
  const named: JsonSchema[] = []
  if (isObject(properties) && Object.hasOwn(properties, name)) named.push(properties[name] as JsonSchema)
  if (isObject(patternProperties))
    for (const [pattern, schema] of Object.entries(patternProperties))
      if (fits(pattern, name)) named.push(schema as JsonSchema)
  const rest = additionalProperties ?? unevaluatedProperties
  const saysNothing = rest === undefined && properties === undefined && patternProperties === undefined
  if (named.length === 0 && rest !== undefined) named.push(rest as JsonSchema)
  if (saysNothing && takes(rules, 'object')) named.push(true)
  return named.flatMap((schema) => saidBy(schema, root))
}

/** What is said of the names of properties. */
export function ofNames({ rules, root }: Said): readonly Said[] {
  const { propertyNames } = rules
  return propertyNames === undefined ? [] : saidBy(propertyNames as JsonSchema, root)
}

/** What is said of an item of a list. */
export function ofItem({ rules, root }: Said, index: number): Said[] {
  const { prefixItems, items, contains, unevaluatedItems } = rules
  const first = schemasOf(prefixItems)
  const rest = (items ?? unevaluatedItems) as JsonSchema | undefined
  const said: JsonSchema[] = index < first.length ? [first[index]!] : rest === undefined ? [] : [rest]
  if (contains !== undefined) said.push(contains as JsonSchema)
  if (said.length === 0 && prefixItems === undefined && takes(rules, 'array')) said.push(true)
  return said.flatMap((schema) => saidBy(schema, root))
}

/** Whether values of this kind are expected there. */
export const isExpected = ({ rules }: Said, value: unknown): boolean => takes(rules, typeOf(value))

function takes(rules: SchemaObject, type: string): boolean {
  const types = typesOf(rules)
  return types.includes(type) || (type === 'integer' && types.includes('number'))
}

function fits(pattern: string, name: string): boolean {
  try {
    return new RegExp(pattern, 'u').test(name)
  } catch {
    return true
  }
}

function without(schema: SchemaObject, keywords: readonly string[]): SchemaObject {
  return Object.fromEntries(Object.entries(schema).filter(([keyword]) => !keywords.includes(keyword)))
}
