import { isObject, type JsonSchema, schemasOf } from '../compatibility/json-schema.ts'
import { ofItem, ofProperty, type Said, saidBy } from './said.ts'

export type Steps = readonly (string | number)[]

/** Stands for any name, of a property that is not named. */
const ANY = '*'

/** Where a schema marks something as sensitive; of one that contains itself each place once. */
export function markedPlaces(schema: JsonSchema): Steps[] {
  const found: Steps[] = []
  const walk = (said: readonly Said[], path: Steps, within: ReadonlySet<unknown>): void => {
    if (said.some(({ rules }) => rules['sensitive'] === true)) return void found.push(path)
    const fresh = said.filter(({ rules }) => !within.has(rules))
    if (fresh.length === 0) return
    const inside = new Set([...within, ...said.map(({ rules }) => rules)])
    for (const step of new Set(fresh.flatMap(stepsInto)))
      walk(
        said.flatMap((one) => (typeof step === 'number' ? ofItem(one, step) : ofProperty(one, step))),
        [...path, step],
        inside,
      )
  }
  walk(saidBy(schema, schema), [], new Set())
  return found
}

function stepsInto({ rules }: Said): (string | number)[] {
  const { properties, additionalProperties, prefixItems, items } = rules
  return [
    ...(isObject(properties) ? Object.keys(properties) : []),
    ...(isObject(additionalProperties) ? [ANY] : []),
    ...schemasOf(prefixItems).map((_, index) => index),
    ...(isObject(items) ? [schemasOf(prefixItems).length] : []),
  ]
}
