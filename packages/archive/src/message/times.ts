/** `2026-11-21 10:00:00.123456789`, UTC, of nanoseconds since 1970: as a DateTime64(9) column reads it. */
export function dateTimeOfNs(ns: string): string {
  const padded = ns.padStart(10, '0')
  return `${secondsText(Number(padded.slice(0, -9)) * 1000)}.${padded.slice(-9)}`
}

/** Nanoseconds since 1970, as digits, of the RFC 3339 text the JetStream API uses. */
export function nsOfTimestamp(timestamp: string): string {
  const fraction = /\.(\d{1,9})/.exec(timestamp)?.[1] ?? ''
  const seconds = Math.floor(Date.parse(timestamp.replace(/\.\d+/, '')) / 1000)
  return `${seconds}${fraction.padEnd(9, '0')}`
}

/**
 * A DateTime64(6) of an RFC 3339 time with any offset. Undefined for what is no time, or one the column can't hold: a
 * publisher's bad clock must not keep an event out of the archive.
 */
export function dateTimeOfRfc3339(text: string): string | undefined {
  const match = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d+))?([Zz]|[+-]\d{2}:\d{2})$/.exec(text.trim())
  if (!match) return undefined
  const ms = Date.parse(`${match[1]}T${match[2]}${match[4]?.toUpperCase()}`)
  if (!(ms >= EARLIEST && ms <= LATEST)) return undefined
  return `${secondsText(ms)}.${(match[3] ?? '').slice(0, 6).padEnd(6, '0')}`
}

// DateTime64 holds 1900 to 2299; https://clickhouse.com/docs/sql-reference/data-types/datetime64
const EARLIEST = Date.UTC(1900, 0, 2)
const LATEST = Date.UTC(2299, 11, 30)

// Events of one batch share their second: one Date is made for all of them.
let lastMs = Number.NaN
let lastText = ''
function secondsText(ms: number): string {
  if (ms !== lastMs) {
    lastMs = ms
    lastText = new Date(ms).toISOString().slice(0, 19).replace('T', ' ')
  }
  return lastText
}
