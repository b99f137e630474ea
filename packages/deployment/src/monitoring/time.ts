const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** A length of time as Prometheus writes it: `90s`, `5m`, `6h`, `3d`. */
export type Length = `${number}${keyof typeof UNIT_MS}`

/**
 * Lengths of time of all rules. At a scale of 1/60 an hour is a minute, so that what takes hours is seen in a test; nothing
 * else of a rule changes.
 */
export type Times = {
  /** For a range, a `for` or an offset. */
  (length: Length): string
  /** For a comparison, s. */
  seconds(length: Length): number
  /**
   * A matcher of `le`: the widest bucket that is not wider than this. Prometheus 3 stores `30` as `30.0`; earlier ones keep what
   * was scraped.
   */
  le(buckets: readonly number[], length: Length): string
}

/** @throws RangeError for a scale of 0 or below */
export function times(scale: number): Times {
  if (!(scale > 0)) throw new RangeError(`scale is ${scale}; above 0`)
  const ms = (length: Length): number => msOf(length) * scale
  return Object.assign((length: Length) => promDuration(ms(length)), {
    seconds: (length: Length) => ms(length) / 1000,
    le(buckets: readonly number[], length: Length) {
      const seconds = ms(length) / 1000
      const bucket = buckets.findLast((upTo) => upTo <= seconds) ?? buckets[0]!
      return `le=~"${String(bucket).replace('.', '[.]')}${Number.isInteger(bucket) ? '([.]0)?' : ''}"`
    },
  })
}

/** @throws RangeError where it is no length */
export function msOf(length: Length): number {
  const [, number, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(length) ?? []
  if (number === undefined) throw new RangeError(`${length} is no length of time; e.g. 90s, 5m, 6h`)
  return Number(number) * UNIT_MS[unit as keyof typeof UNIT_MS]
}

/** The largest unit that divides it: Prometheus has whole numbers only. */
function promDuration(ms: number): string {
  const whole = Math.max(1, Math.round(ms))
  for (const unit of ['d', 'h', 'm', 's'] as const)
    if (whole % UNIT_MS[unit] === 0) return `${whole / UNIT_MS[unit]}${unit}`
  return `${whole}ms`
}
