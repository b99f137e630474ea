import { compareLimits } from './compare-ranges.ts'
import { type Both, type Finding, finding, isSame, type Place, unknown } from './place.ts'
import { isEqual, isObject, type JsonSchema, type SchemaObject, wordsOf } from './json-schema.ts'

export function compareObjects(both: Both): Finding[] {
  const { from, to, place } = both
  const found = compareLimits(both, ['minProperties', 'maxProperties', 'properties'])
  if (from['patternProperties'] !== undefined && !isSame(from['patternProperties'], to['patternProperties'], place))
    found.push(unknown(place, 'patternProperties is not the same'))
  const had = wordsOf(from['required'])
  for (const name of wordsOf(to['required']))
    if (!had.includes(name))
      found.push(finding(inside(place, name), `${place.words.reader} requires it, ${place.words.writer} may lack it`))
  const [before, after] = [propertiesOf(from), propertiesOf(to)]
  for (const [name, schema] of Object.entries(before.named))
    found.push(...compareProperty(name, schema, { after, place }))
  // A record: values of any name. Properties nobody names and everybody may have are not written (see compareSchemas).
  if (isRecord(from, before)) {
    for (const [name, schema] of Object.entries(after.named))
      if (!Object.hasOwn(before.named, name))
        found.push(...place.compare(before.rest, schema as JsonSchema, inside(place, name)))
    found.push(...place.compare(before.rest, after.rest, inside(place, '*')))
  }
  const names = to['propertyNames']
  if (names !== undefined && !isEqual(names, from['propertyNames'])) {
    const word: JsonSchema = { type: 'string' }
    if (isRecord(from, before))
      found.push(
        ...place.compare((from['propertyNames'] as JsonSchema) ?? word, names as JsonSchema, inside(place, '(a name)')),
      )
    for (const name of Object.keys(before.named))
      found.push(...place.compare({ const: name }, names as JsonSchema, inside(place, '(a name)')))
  }
  return found
}

function compareProperty(
  name: string,
  schema: unknown,
  { after, place }: { after: Properties; place: Place },
): Finding[] {
  const at = inside(place, name)
  if (Object.hasOwn(after.named, name)) return place.compare(schema as JsonSchema, after.named[name] as JsonSchema, at)
  if (after.rest === false)
    return [
      finding(at, `${place.words.writer} may have it, ${place.words.reader} knows no such property and refuses it`),
    ]
  return place.compare(schema as JsonSchema, after.rest, at)
}

/** Its values may have any name: by a schema for them, or said to be anything where nothing is named. */
function isRecord({ additionalProperties }: SchemaObject, { named, rest }: Properties): boolean {
  if (isObject(rest)) return true
  return rest && additionalProperties !== undefined && Object.keys(named).length === 0
}

type Properties = { readonly named: SchemaObject; readonly rest: JsonSchema }

function propertiesOf(schema: SchemaObject): Properties {
  const { properties, additionalProperties } = schema
  const rest =
    isObject(additionalProperties) && Object.keys(additionalProperties).length > 0
      ? additionalProperties
      : additionalProperties !== false
  return { named: isObject(properties) ? properties : {}, rest }
}

function inside(place: Place, name: string): Place {
  const part = /^[\w*-]+$/.test(name) || name === '(a name)' ? name : JSON.stringify(name)
  return { ...place, path: place.path === '' ? part : `${place.path}.${part}` }
}
