/** What callers give, who may have no types: looked at without an assumption, so that a fault is told and never thrown by the language. */

/** A value within a sentence: text in quotes, cut; what has no short form by its kind. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 64 ? `${value.slice(0, 64)}…` : value)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'an object'
  return String(value)
}

/** Text that fits a pattern. A pattern alone would take whatever reads like it, a list of one text for instance. */
export const isMatch = (value: unknown, pattern: RegExp): value is string =>
  typeof value === 'string' && pattern.test(value)

/** A number, not less and not more. Without `most` it may be infinite. */
export const isWithin = (value: unknown, least: number, most: number = Infinity): value is number =>
  typeof value === 'number' && value >= least && value <= most

/** Node turns a longer time of a timer into 1 ms. */
export const LONGEST_TIMER_MS: number = 2 ** 31 - 1

/** A whole number, not less and not more. */
export const isWhole = (value: unknown, least: number, most: number = Number.MAX_SAFE_INTEGER): value is number =>
  Number.isSafeInteger(value) && isWithin(value, least, most)

/** An object with members, and no list. */
export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** One of the declarations that the functions of this library return. */
export const isDeclared = (value: unknown, ...kinds: readonly string[]): boolean =>
  isObject(value) && typeof value['kind'] === 'string' && kinds.includes(value['kind'])
