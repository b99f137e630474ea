import type { SavedLine } from '../history/saved-run.ts'
import type { Place, Violation } from './violation.ts'

/** Of a message that was retried for an hour, the first lines are enough. */
const MOST_LINES = 60

/**
 * For each violation the lines that show it: all that name its message or the others it speaks of, or its place in a
 * stream, in the order of the files.
 */
export function evidenceOf(
  violations: readonly Violation[],
  lines: Iterable<SavedLine>,
): ReadonlyMap<Violation, SavedLine[]> {
  const found = new Map<Violation, SavedLine[]>(violations.map((violation) => [violation, []]))
  if (violations.length === 0) return found
  const wanted = new Map<string, Violation[]>()
  const want = (name: string, violation: Violation): void =>
    void wanted.set(name, [...(wanted.get(name) ?? []), violation])
  for (const violation of violations) {
    for (const id of new Set([violation.message.id, ...violation.others])) want(byId(id), violation)
    if (violation.place) want(byPlace(violation.place), violation)
  }
  for (const line of lines)
    for (const violation of new Set(namesOf(line.text).flatMap((name) => wanted.get(name) ?? []))) {
      const its = found.get(violation)!
      if (its.length < MOST_LINES) its.push(line)
    }
  return found
}

const byId = (id: string): string => `id ${id}`
const byPlace = ({ stream, epoch, seq }: Place): string => `at ${stream} ${epoch} ${seq}`

/** Millions of lines are asked and a few are wanted, so they are not parsed. The types of the lines fix these forms. */
const ID = /"id":"((?:[^"\\]|\\.)*)"/
const PLACE = /"stream":"([^"]*)","epoch":(\d+),"seq":(\d+)/

function namesOf(text: string): string[] {
  const id = ID.exec(text)?.[1]
  const place = PLACE.exec(text)
  return [
    ...(id === undefined ? [] : [byId(JSON.parse(`"${id}"`) as string)]),
    ...(place ? [`at ${place[1]} ${place[2]} ${place[3]}`] : []),
  ]
}
