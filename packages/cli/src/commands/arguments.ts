import { InvalidArgumentError } from 'commander'
import { lengthOf } from './quantities.ts'

export function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('a whole number from 1 on')
  return Number(text)
}

/** The same of an option that is given several times. */
export function several(text: string, before: number[] = []): number[] {
  return [...before, wholeNumber(text)]
}

/** As the mesh writes times, so that text is compared with text. */
export function time(text: string): string {
  const ms = Date.parse(text)
  if (Number.isNaN(ms)) throw new InvalidArgumentError('a time such as 2026-11-21T10:00:00Z')
  return new Date(ms).toISOString()
}

/** Of what is typed by hand: whole, and of at most six digits. */
const lengthMs = (text: string): number | undefined => (/^\d{1,6}[smhd]$/.test(text) ? lengthOf(text) : undefined)

export function duration(text: string): number {
  const ms = lengthMs(text)
  if (!ms) throw new InvalidArgumentError('a length such as 90s, 30m, 2h or 1d')
  return ms
}

/** A time to come, or a length from now in ms, such as `90s`, `30m`, `2h`, `1d`. */
export function timeOrLength(text: string): Date | number {
  const length = lengthMs(text)
  if (length) return length
  const ms = Date.parse(text)
  if (!/^\d{4}-/.test(text) || Number.isNaN(ms))
    throw new InvalidArgumentError('a time such as 2026-11-22T18:00:00Z, or a length such as 90s, 30m, 2h or 1d')
  return new Date(ms)
}

/** Of a stream. */
export function replicaCount(text: string): number {
  if (!/^[1-5]$/.test(text)) throw new InvalidArgumentError('1 to 5')
  return Number(text)
}
