import { type Both, type Finding, finding } from './place.ts'
import { isEqual, type SchemaObject } from './json-schema.ts'

const numberOf = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined)

/** A lower limit that rose or an upper one that fell. */
export function compareLimits(
  { from, to, place }: Both,
  keywords: readonly [least: string, most: string, of: string],
): Finding[] {
  const [least, most, of] = keywords
  const found: Finding[] = []
  const { writer, reader } = place.words
  const floor = numberOf(to[least])
  if (floor !== undefined && floor > 0 && (numberOf(from[least]) ?? 0) < floor)
    found.push(
      finding(
        place,
        `${writer} may have ${numberOf(from[least]) ?? 'any number of'} ${of}, ${reader} wants ${floor} at least`,
      ),
    )
  const ceiling = numberOf(to[most])
  if (ceiling !== undefined && (numberOf(from[most]) ?? Infinity) > ceiling)
    found.push(
      finding(
        place,
        `${writer} may have ${numberOf(from[most]) ?? 'any number of'} ${of}, ${reader} takes ${ceiling} at most`,
      ),
    )
  return found
}

export function compareStrings(both: Both): Finding[] {
  const { from, to, place } = both
  const found = compareLimits(both, ['minLength', 'maxLength', 'characters'])
  for (const keyword of ['pattern', 'format'])
    if (to[keyword] !== undefined && !isEqual(from[keyword], to[keyword]))
      found.push(
        finding(
          place,
          `${place.words.reader} wants the ${keyword} ${JSON.stringify(to[keyword]).slice(0, 80)}, which ${place.words.writer} need not have`,
        ),
      )
  return found
}

type Bound = { readonly value: number; readonly isOpen: boolean }

export function compareNumbers({ from, to, place }: Both): Finding[] {
  const { writer, reader } = place.words
  const found: Finding[] = []
  if (from['type'] === 'number' && to['type'] === 'integer')
    found.push(finding(place, `${writer} may have a number with a fraction here, ${reader} takes whole numbers only`))
  const [low, lowest] = [bound(to, 'inimum', Math.max), bound(from, 'inimum', Math.max)]
  if (low && (!lowest || lowest.value < low.value || (lowest.value === low.value && low.isOpen && !lowest.isOpen)))
    found.push(
      finding(
        place,
        `${writer} may be ${lowest ? `as low as ${lowest.value}` : 'as low as it likes'}, ${reader} wants ${low.isOpen ? 'more than' : 'at least'} ${low.value}`,
      ),
    )
  const [high, highest] = [bound(to, 'aximum', Math.min), bound(from, 'aximum', Math.min)]
  if (
    high &&
    (!highest || highest.value > high.value || (highest.value === high.value && high.isOpen && !highest.isOpen))
  )
    found.push(
      finding(
        place,
        `${writer} may be ${highest ? `as high as ${highest.value}` : 'as high as it likes'}, ${reader} wants ${high.isOpen ? 'less than' : 'at most'} ${high.value}`,
      ),
    )
  const step = numberOf(to['multipleOf'])
  const had = numberOf(from['multipleOf']) ?? (from['type'] === 'integer' ? 1 : undefined)
  if (step !== undefined && (had === undefined || !Number.isInteger(had / step)))
    found.push(finding(place, `${reader} wants multiples of ${step}, which ${writer} need not be`))
  return found
}

/** The tighter of `minimum` and `exclusiveMinimum`, or of the maxima. */
function bound(
  schema: SchemaObject,
  name: 'inimum' | 'aximum',
  tighter: (a: number, b: number) => number,
): Bound | undefined {
  const closed = numberOf(schema[`m${name}`])
  const open = numberOf(schema[`exclusiveM${name}`])
  if (closed === undefined) return open === undefined ? undefined : { value: open, isOpen: true }
  if (open === undefined) return { value: closed, isOpen: false }
  return { value: tighter(open, closed), isOpen: tighter(open, closed) === open }
}
