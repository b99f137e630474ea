import { compareLimits } from './compare-ranges.ts'
import { type Both, type Finding, finding } from './place.ts'
import { type JsonSchema, schemasOf } from './json-schema.ts'

export function compareArrays(both: Both): Finding[] {
  const { from, to, place } = both
  const found = compareLimits(both, ['minItems', 'maxItems', 'items'])
  if (to['uniqueItems'] === true && from['uniqueItems'] !== true)
    found.push(finding(place, `${place.words.writer} may have an item twice, ${place.words.reader} takes each once`))
  const [before, after] = [from, to].map((schema) => ({
    first: schemasOf(schema['prefixItems']),
    rest: (schema['items'] ?? true) as JsonSchema,
  })) as [Items, Items]
  const longest = typeof from['maxItems'] === 'number' ? from['maxItems'] : Infinity
  const places = Math.max(before.first.length, after.first.length)
  for (let n = 0; n < Math.min(places, longest); n += 1)
    found.push(
      ...place.compare(before.first[n] ?? before.rest, after.first[n] ?? after.rest, {
        ...place,
        path: `${place.path}[${n}]`,
      }),
    )
  if (longest > places) found.push(...place.compare(before.rest, after.rest, { ...place, path: `${place.path}[]` }))
  return found
}

type Items = { readonly first: readonly JsonSchema[]; readonly rest: JsonSchema }
