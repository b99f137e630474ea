/**
 * Hides what a contract marks with `sensitive: true` (docs/adr/0036-what-is-sensitive-is-hidden-where-it-is-shown.md).
 *
 * R1  Nothing at or below a place that any of the schemas marks is shown.
 * R2  In a contract that marks anything, a place that no schema names is hidden too, and so is a value of another kind than is
 *     expected there: what is in the wrong place may be what belongs in a marked one.
 */
import { isObject, type JsonSchema } from '../compatibility/json-schema.ts'
import { isExpected, ofItem, ofNames, ofProperty, type Said, saidBy } from './said.ts'

/** A value to show. */
export type Redacted = {
  readonly value: unknown
  /** What was hidden, by what stands in its place: `[redacted]`, `[redacted 2]`, and so on. */
  readonly hidden: ReadonlyMap<string, unknown>
}

export type Redactor = {
  /** Whether anything is marked. Where nothing is, everything is shown. */
  readonly isMarked: boolean
  /** Never throws. Costs as much as a copy. */
  redact(value: unknown): Redacted
  /** The same of a value at a place inside, as after a change of it alone. */
  redactAt(path: readonly (string | number)[], value: unknown): Redacted
  /** `hidden`: what is there is. `mixed`: something inside is. */
  at(path: readonly (string | number)[]): 'shown' | 'mixed' | 'hidden'
}

/** For a value that all of these schemas speak of: those that services have for one type. JSON Schema, draft 2020-12. */
export function redactorOf(schemas: readonly JsonSchema[]): Redactor {
  const isMarked = schemas.some(marks)
  const whole = isMarked ? schemas.flatMap((schema) => saidBy(schema, schema)) : []
  const placeOf = (path: readonly (string | number)[]): readonly Said[] => {
    let said: readonly Said[] = whole
    for (const step of path) said = isHidden(said) ? [] : said.flatMap((one) => stepInto(one, step))
    return said
  }
  const shown = (said: readonly Said[], value: unknown): Redacted => {
    if (!isMarked) return { value, hidden: new Map() }
    try {
      const notes = new Notes(value)
      return { value: show(said, value, notes), hidden: notes.hidden }
    } catch {
      // Nested deeper than can be walked.
      return { value: '[redacted]', hidden: new Map([['[redacted]', value]]) }
    }
  }
  return {
    isMarked,
    redact: (value) => shown(whole, value),
    redactAt: (path, value) => shown(placeOf(path), value),
    at(path) {
      if (!isMarked) return 'shown'
      const said = placeOf(path)
      if (isHidden(said)) return 'hidden'
      return said.some(({ rules, root }) => marks(rules) || refersTo(rules, root)) ? 'mixed' : 'shown'
    },
  }
}

/** Whether a schema marks anything, anywhere in it. */
export function marks(schema: unknown): boolean {
  if (Array.isArray(schema)) return schema.some(marks)
  if (!isObject(schema)) return false
  if (schema['sensitive'] === true) return true
  return Object.entries(schema).some(([keyword, value]) => {
    if (VALUES.has(keyword)) return false
    // There the keys are names of the user's.
    return MAPS.has(keyword) && isObject(value) ? Object.values(value).some(marks) : marks(value)
  })
}

const VALUES = new Set(['default', 'examples', 'const', 'enum', 'required', 'description', 'title'])
const MAPS = new Set(['properties', 'patternProperties', 'dependentSchemas', '$defs', 'definitions'])

/** A reference inside may lead to what is marked elsewhere in the document. */
const refersTo = (rules: unknown, root: JsonSchema): boolean =>
  /"\$(dynamicR|r)ef"/.test(JSON.stringify(rules)) && marks(root)

/** Upholds R1, and R2 for places that nobody names. */
const isHidden = (said: readonly Said[]): boolean =>
  said.length === 0 || said.some(({ rules }) => rules['sensitive'] === true)

/** A JSON Pointer does not tell places in a list from properties: then what is said of either counts. */
function stepInto(said: Said, step: string | number): Said[] {
  if (typeof step === 'number') return ofItem(said, step)
  const isPlace = /^(\d+|-)$/.test(step)
  return isPlace ? [...ofProperty(said, step), ...ofItem(said, Number(step) || 0)] : ofProperty(said, step)
}

function show(said: readonly Said[], value: unknown, notes: Notes): unknown {
  if (isHidden(said) || !(value === null || said.some((one) => isExpected(one, value)))) return notes.hide(value)
  if (Array.isArray(value))
    return value.map((item, index) =>
      show(
        said.flatMap((one) => ofItem(one, index)),
        item,
        notes,
      ),
    )
  if (!isObject(value)) return value
  const names = said.flatMap(ofNames)
  const areHidden = names.length > 0 && isHidden(names)
  return Object.fromEntries(
    Object.entries(value).map(([name, inside]) => [
      areHidden ? notes.hide(name) : name,
      show(
        said.flatMap((one) => ofProperty(one, name)),
        inside,
        notes,
      ),
    ]),
  )
}

/** What stands for what is hidden: one for each, none of which is in the value itself. */
class Notes {
  readonly hidden = new Map<string, unknown>()
  readonly #taken: string
  #next = 1

  constructor(value: unknown) {
    const text = JSON.stringify(value) ?? ''
    // Looked through once for each note only where it has any.
    this.#taken = text.includes('[redacted') ? text : ''
  }

  hide(value: unknown): string {
    const note = this.#note()
    this.hidden.set(note, value)
    return note
  }

  #note(): string {
    for (;;) {
      const note = this.#next === 1 ? '[redacted]' : `[redacted ${this.#next}]`
      this.#next += 1
      if (!this.#taken.includes(note)) return note
    }
  }
}
