import { InvalidArgumentError } from 'commander'

export function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('a whole number from 1 on')
  return Number(text)
}

/** As the mesh writes times, so that text is compared with text. */
export function time(text: string): string {
  const ms = Date.parse(text)
  if (Number.isNaN(ms)) throw new InvalidArgumentError('a time such as 2026-11-21T10:00:00Z')
  return new Date(ms).toISOString()
}
