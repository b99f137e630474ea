import type { Search } from './store.ts'

/** Jaeger's parameters are strings; a repeated one counts once. */
export type Query = Record<string, string | string[] | undefined>

/**
 * The search of `GET /api/v3/traces`, with the names and rules of Jaeger 2.19 and later.
 * @throws Error naming the parameter that is missing or malformed
 */
export function readSearch(query: Query): Search {
  const get = (name: string): string | undefined => one(query[`query.${name}`]) || undefined
  const min = get('startTimeMin')
  const max = get('startTimeMax')
  if (min === undefined || max === undefined) throw new Error('query.startTimeMin and query.startTimeMax are required')
  const minNano = nanosOfTime('query.startTimeMin', min)
  const maxNano = nanosOfTime('query.startTimeMax', max)
  if (minNano >= maxNano) throw new Error('query.startTimeMin must be before query.startTimeMax')
  const service = get('serviceName')
  const operation = get('operationName')
  const longer = get('durationMin')
  const shorter = get('durationMax')
  const attributes = get('attributes')
  return {
    minNano,
    maxNano,
    depth: depthOf(get('searchDepth') ?? '100'),
    ...(service !== undefined && { service }),
    ...(operation !== undefined && { operation }),
    ...(longer !== undefined && { longerThanNano: nanosOfDuration('query.durationMin', longer) }),
    ...(shorter !== undefined && { shorterThanNano: nanosOfDuration('query.durationMax', shorter) }),
    ...(attributes !== undefined && { attributes: attributesOf(attributes) }),
  }
}

export function one(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}

function nanosOfTime(name: string, text: string): bigint {
  const ms = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(ms)) throw new Error(`malformed parameter ${name}: not a time as RFC 3339 writes it`)
  return BigInt(ms) * 1_000_000n
}

const UNITS: Record<string, number> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 }

/** As Go writes durations: `1.5s`, `2m30s`. */
function nanosOfDuration(name: string, text: string): bigint {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)]
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text) {
    throw new Error(`malformed parameter ${name}: not a duration such as 1.5s or 200ms`)
  }
  const nanos = parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNITS[unit ?? ''] ?? 0), 0)
  return BigInt(Math.round(nanos))
}

function depthOf(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new Error('malformed parameter query.searchDepth: not a count')
  return Number(text)
}

function attributesOf(text: string): Record<string, string> {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    parsed = undefined
  }
  const isMap = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
  if (isMap && Object.values(parsed as object).every((value) => typeof value === 'string')) {
    return parsed as Record<string, string>
  }
  throw new Error('malformed parameter query.attributes: not a JSON object of strings')
}
