import type { Pairs } from './pairs.ts'
import { isEqual, type JsonSchema, type SchemaObject } from './json-schema.ts'

/** Why a value that one schema lets through may be refused by the other, and where in it. */
export type Finding = { readonly path: string; readonly what: string }

export type Words = {
  /** `an older event` */
  readonly writer: string
  /** `the new schema` */
  readonly reader: string
}

/** What a comparison knows on its way down. */
export type Place = {
  readonly path: string
  readonly words: Words
  readonly fromRoot: JsonSchema
  readonly toRoot: JsonSchema
  /** Pairs that were compared, or are being: each is once. */
  readonly pairs: Pairs
  /** For what is inside. */
  readonly compare: (from: JsonSchema, to: JsonSchema, place: Place) => Finding[]
}

/** The two schemas of one kind of value. */
export type Both = { readonly from: SchemaObject; readonly to: SchemaObject; readonly place: Place }

export function finding(place: Place, what: string): Finding {
  return { path: place.path, what }
}

export function unknown(place: Place, why: string): Finding {
  const { writer, reader } = place.words
  return finding(place, `whether ${reader} takes all that ${writer} may have cannot be told: ${why}`)
}

/** The same text, and where it refers to other parts, of the same schema. */
export function isSame(a: unknown, b: unknown, { fromRoot, toRoot }: Place): boolean {
  if (!isEqual(a, b)) return false
  return isEqual(fromRoot, toRoot) || !/"\$(dynamicR|r)ef"/.test(JSON.stringify(a) ?? '')
}
