import type { Input } from '../engine/input.ts'

const NUMBERS = [0, -0, 1, -1, 0.5, 2, 1e3, 65_536, 1e21, -1e308, Number.NaN, Infinity, -Infinity] as const

/** Any value that a program without types could hand over. */
export function junk(input: Input, depth = 3): unknown {
  const kind = input.upTo(depth > 0 ? 15 : 11)
  switch (kind) {
    case 0:
      return undefined
    case 1:
      return null
    case 2:
      return input.flag()
    case 3:
      return input.pick([...NUMBERS])
    case 4:
      return input.integer()
    case 5:
      return BigInt(input.integer())
    case 6:
      return Symbol('junk')
    case 7:
      return new Date(input.flag() ? Number.NaN : input.integer())
    case 8:
      return (...given: unknown[]) => given[0]
    case 9:
    case 10:
    case 11:
      return input.text(40)
    case 12:
      return input.list(4, () => junk(input, depth - 1))
    case 13:
      return Object.assign(Object.create(null) as object, { a: junk(input, depth - 1) })
    default:
      return Object.fromEntries(input.list(4, () => [input.text(16), junk(input, depth - 1)]))
  }
}

/** Some options with some of them exchanged for junk, or junk altogether. */
export function spoiled<T extends object>(input: Input, options: T): T {
  if (input.byte() === 255) return junk(input) as T
  const copy = { ...options } as Record<string, unknown>
  const names = Object.keys(options) as [string, ...string[]]
  for (let count = input.upTo(3); count > 0; count--) copy[input.pick(names)] = junk(input)
  return copy as T
}

/** A value as it is, or junk in its place. */
export const perhaps = <T>(input: Input, value: T): T => (input.upTo(3) === 3 ? (junk(input) as T) : value)
