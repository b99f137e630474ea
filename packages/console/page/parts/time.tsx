import type { JSX } from 'preact'

const DAY = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric' })
const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
})

/** A moment in the reader's own time; the exact one, in UTC, as its title. */
export function Time({ at }: { at: string | null | undefined }): JSX.Element {
  const date = new Date(at ?? '')
  if (Number.isNaN(date.getTime())) return <span>{at || 'unknown'}</span>
  const isToday = new Date().toDateString() === date.toDateString()
  return (
    <time dateTime={at!} title={at!}>
      {isToday ? '' : `${DAY.format(date)}, `}
      {CLOCK.format(date)}
    </time>
  )
}

export const number = (value: number): string => value.toLocaleString('en')

export function bytes(count: number): string {
  if (count < 1024) return `${count} B`
  if (count >= 1024 ** 3) return `${(count / 1024 ** 3).toFixed(1)} GiB`
  return count < 1024 ** 2 ? `${(count / 1024).toFixed(1)} KiB` : `${(count / 1024 ** 2).toFixed(1)} MiB`
}

export const plural = (count: number, what: string): string => `${number(count)} ${what}${count === 1 ? '' : 's'}`

/** About so long, in the largest unit that says it well. */
export function durationOf(seconds: number): string {
  if (seconds < 90) return plural(Math.max(1, Math.round(seconds)), 'second')
  if (seconds < 5400) return plural(Math.round(seconds / 60), 'minute')
  return seconds < 172_800 ? plural(Math.round(seconds / 3600), 'hour') : plural(Math.round(seconds / 86_400), 'day')
}

/** How long something took, from a tenth of a millisecond on. */
export function tookOf(ms: number): string {
  if (ms < 9.95) return `${ms.toFixed(1)} ms`
  if (ms < 999.5) return `${Math.round(ms)} ms`
  return ms < 90_000 ? `${(ms / 1000).toFixed(1)} s` : durationOf(ms / 1000)
}
