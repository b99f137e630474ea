import { type Both, type Finding, finding, isSame, type Place, unknown, type Words } from './place.ts'
import { accepts } from './accepts.ts'
import { compareArrays } from './compare-arrays.ts'
import { compareObjects } from './compare-objects.ts'
import { compareNumbers, compareStrings } from './compare-ranges.ts'
import { intersection } from './intersection.ts'
import { Pairs } from './pairs.ts'
import {
  companionsOf,
  isEqual,
  isObject,
  type JsonSchema,
  listOf,
  namedValues,
  resolve,
  type Rooted,
  type SchemaObject,
  typesOf,
  schemasOf,
} from './json-schema.ts'

/**
 * Why values of `from` may be refused by `to`; empty when none can be. Where it cannot tell it says so: what it calls
 * compatible is, but for properties a schema does not name and `additionalProperties` merely lets through: it takes it
 * that nobody writes such.
 */
export function compareSchemas(from: JsonSchema, to: JsonSchema, words: Words): Finding[] {
  const place: Place = { path: '', words, fromRoot: from, toRoot: to, pairs: new Pairs(), compare }
  return distinct(compare(from, to, place))
}

function compare(from: JsonSchema, to: JsonSchema, place: Place): Finding[] {
  if (isSame(from, to, place)) return []
  return place.pairs.once(`${JSON.stringify(from)}|${JSON.stringify(to)}`, place, () => {
    const source = resolve({ schema: from, root: place.fromRoot })
    const target = resolve({ schema: to, root: place.toRoot })
    if (!source || !target) return [unknown(place, 'a $ref leads out of the schema')]
    return compareResolved(source, target, place)
  })
}

function compareResolved(from: SchemaObject, to: SchemaObject, place: Place): Finding[] {
  if (isNever(from) || Object.keys(to).length === 0) return []
  if ('allOf' in to) {
    const { allOf, ...beside } = to
    return [...schemasOf(allOf), beside].flatMap((member) => compare(from, member, place))
  }
  const sources = alternatives({ schema: from, root: place.fromRoot }, 'may overlap')
  const targets = alternatives({ schema: to, root: place.toRoot }, 'are distinct')
  if (!sources)
    return isSame(from, to, place) ? [] : [unknown(place, 'parts of allOf contradict each other or cannot be joined')]
  if (!targets) return isSame(from, to, place) ? [] : [unknown(place, 'the alternatives of a oneOf are not told apart')]
  return sources.flatMap((source) => compareOne(source, targets, place))
}

/** One kind of value against the kinds that are accepted: one of them must take it all. */
function compareOne(from: SchemaObject, targets: readonly SchemaObject[], place: Place): Finding[] {
  const values = namedValues(from)
  if (values) return compareValues(values, { targets, place })
  const [type = ''] = typesOf(from)
  const fitting = targets.filter((target) => takesType(target, type))
  if (fitting.length === 0)
    return [finding(place, `${place.words.writer} may have ${aType(type)} here, ${place.words.reader} takes none`)]
  const tries = fitting.map((target) => compareKinds(type, { from, to: target, place }))
  return tries.reduce((best, next) => (next.length < best.length ? next : best))
}

function compareValues(
  values: readonly unknown[],
  { targets, place }: { targets: readonly SchemaObject[]; place: Place },
): Finding[] {
  const refused = values.filter((value) => !targets.some((target) => accepts(target, place.toRoot, value)))
  return refused.map((value) =>
    finding(
      place,
      `${place.words.writer} may have ${JSON.stringify(value)} here, ${place.words.reader} does not take it`,
    ),
  )
}

function compareKinds(type: string, both: Both): Finding[] {
  const { to, place } = both
  const named = namedValues(to)
  if (named && !isAllOf(type, named))
    return [
      finding(
        place,
        `${place.words.writer} may have any ${type} here, ${place.words.reader} takes ${namesOf(named)} only`,
      ),
    ]
  if (type === 'object') return [...compareObjects(both), ...others(both, OBJECT)]
  if (type === 'array') return [...compareArrays(both), ...others(both, ARRAY)]
  if (type === 'string') return [...compareStrings(both), ...others(both, STRING)]
  if (type === 'number' || type === 'integer') return [...compareNumbers(both), ...others(both, NUMBER)]
  return others(both, [])
}

/** Of these types the values can be named one by one. */
const isAllOf = (type: string, named: readonly unknown[]): boolean =>
  (type === 'null' && named.includes(null)) || (type === 'boolean' && named.includes(true) && named.includes(false))

const NUMBER = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf']
const STRING = ['minLength', 'maxLength', 'pattern', 'format']
const ARRAY = ['items', 'prefixItems', 'minItems', 'maxItems', 'uniqueItems']
const OBJECT = ['properties', 'required', 'additionalProperties', 'propertyNames', 'minProperties', 'maxProperties']
const OF_OTHER_TYPES = new Set(['const', 'enum', ...NUMBER, ...STRING, ...ARRAY, ...OBJECT])

/** Keywords nobody here understands must be there and the same before, or else refuse something perhaps. */
function others(
  { from, to, place }: { from: SchemaObject; to: SchemaObject; place: Place },
  known: readonly string[],
): Finding[] {
  return Object.keys(to)
    .filter((keyword) => keyword !== 'type' && !known.includes(keyword) && !OF_OTHER_TYPES.has(keyword))
    .filter((keyword) => {
      const together = companionsOf(keyword)
      return together ? together.some((one) => !isSame(from[one], to[one], place)) : !isSame(from, to, place)
    })
    .map((keyword) => unknown(place, `${keyword} is not the same`))
}

/**
 * The kinds of value a schema takes: one `type` each, without `anyOf`, `oneOf` and `allOf`. Undefined where they cannot be
 * told, as where one contains itself. A `oneOf` refuses what fits two of its members, so a reader's are to be distinct.
 */
function alternatives(
  { schema, root }: Rooted,
  oneOfs: 'may overlap' | 'are distinct',
  within: readonly string[] = [],
): SchemaObject[] | undefined {
  const rules = resolve({ schema, root })
  if (!rules) return undefined
  const text = JSON.stringify(rules)
  if (within.includes(text)) return undefined
  const inside = [...within, text]
  const { anyOf, oneOf, allOf, ...beside } = rules
  if (allOf !== undefined) {
    const joined = intersection(
      [...schemasOf(allOf), { ...beside, ...(anyOf ? { anyOf } : {}), ...(oneOf ? { oneOf } : {}) }],
      root,
    )
    return joined && alternatives({ schema: joined, root }, oneOfs, inside)
  }
  const list = anyOf ?? oneOf
  if (list === undefined) return namedValues(rules) ? [rules] : typesOf(rules).map((type) => ({ ...rules, type }))
  if (anyOf !== undefined && oneOf !== undefined) return undefined
  const members = schemasOf(list).map((member) => {
    const joined = intersection([member, beside], root)
    return joined && alternatives({ schema: joined, root }, oneOfs, inside)
  })
  if (members.includes(undefined)) return undefined
  if (oneOf !== undefined && oneOfs === 'are distinct' && !areDistinct(members as SchemaObject[][])) return undefined
  return (members as SchemaObject[][]).flat()
}

/** No value fits two of them: their types differ, or a property that all require has a value of its own in each. */
function areDistinct(members: readonly (readonly SchemaObject[])[]): boolean {
  return members.every((one, place) =>
    members.slice(place + 1).every((other) => one.every((a) => other.every((b) => isApart(a, b)))),
  )
}

function isApart(a: SchemaObject, b: SchemaObject): boolean {
  const [one, other] = [namedValues(a), namedValues(b)]
  if (one && other) return !one.some((value) => other.some((same) => isEqual(value, same)))
  if (!typesOf(a).some((type) => takesType(b, type)) && !typesOf(b).some((type) => takesType(a, type))) return true
  const properties = isObject(a['properties']) ? Object.keys(a['properties']) : []
  return properties.some((name) => {
    const isRequired = [a, b].every((schema) => listOf(schema['required']).includes(name))
    const [left, right] = [a, b].map((schema) => isObject(schema['properties']) && schema['properties'][name])
    const [lefts, rights] = [left, right].map((schema) => (isObject(schema) ? namedValues(schema) : undefined))
    return isRequired && !!lefts && !!rights && !lefts.some((value) => rights.some((same) => isEqual(value, same)))
  })
}

function takesType(schema: SchemaObject, type: string): boolean {
  const types = typesOf(schema)
  return types.includes(type) || (type === 'integer' && types.includes('number'))
}

const isNever = (schema: SchemaObject): boolean => isObject(schema['not']) && Object.keys(schema['not']).length === 0

const aType = (type: string): string => (type === 'null' ? 'null' : /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`)

const namesOf = (values: readonly unknown[]): string =>
  values
    .slice(0, 5)
    .map((value) => JSON.stringify(value))
    .join(', ') + (values.length > 5 ? ', …' : '')

function distinct(findings: readonly Finding[]): Finding[] {
  return [...new Map(findings.map((found) => [`${found.path} ${found.what}`, found])).values()]
}
