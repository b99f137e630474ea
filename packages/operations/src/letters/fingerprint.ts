import { createHash } from 'node:crypto'

/** What makes letters alike: whose handler, which error, and what it said. */
export type Alike = {
  durable: string
  code: string
  errorClass: string | undefined
  reason: string
}

/** What differs from one message to the next, in the order in which it is looked for. */
const DIFFERING: readonly [pattern: RegExp, shown: string][] = [
  [/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?/g, '<time>'],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, '<id>'],
  [/\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,}\b/gi, '<id>'],
  [/"(?:[^"\\]|\\.){1,200}"/g, '<text>'],
  [/'[^']{1,200}'/g, '<text>'],
  [/\d+(?:\.\d+)*/g, '<n>'],
]

/** What is said beyond belongs to one message alone. */
const LONGEST = 300

/** Of letters that failed in the same way the same, whichever message each is of. */
export function fingerprintOf({ durable, code, errorClass, reason }: Alike): { group: string; groupReason: string } {
  const groupReason = normalised(reason)
  const whole = JSON.stringify([durable, code, errorClass ?? '', groupReason])
  return { group: createHash('sha256').update(whole).digest('hex').slice(0, 10), groupReason }
}

function normalised(reason: string): string {
  let text = reason.slice(0, LONGEST * 4)
  for (const [pattern, shown] of DIFFERING) text = text.replace(pattern, shown)
  return text.replaceAll(/\s+/g, ' ').trim().slice(0, LONGEST).toWellFormed()
}
