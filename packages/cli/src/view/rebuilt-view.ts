import type { Rebuilt } from '@malha/operations'
import type { Screen } from './print.ts'
import { tableOf } from './table.ts'
import { plural } from './text.ts'
import { visible } from './visible.ts'

const HEAD = ['stream', 'kind', 'events', 'first', 'last', 'what']
const WHAT = { make: 'made anew', fill: 'its end brought back', none: 'has all' } as const

/** A row a stream, then where handlers begin. */
export function drawRebuilt(
  { streams, durables, partitions, waiting, missing, floorsAt }: Rebuilt,
  screen: Screen,
): string {
  const rows = streams.map(({ name, kind, events, first, last, action }) => [
    visible(name),
    visible(kind),
    ...[events, first, last].map(String),
    WHAT[action],
  ])
  const made = [plural(durables, 'durable'), plural(partitions, 'partition'), `${plural(waiting, 'event')} on lanes`]
  const lost =
    missing === 0
      ? ''
      : `\n${plural(missing, 'event')} waited for a retry, and the archive has not: nobody handles them.`
  return `${tableOf(HEAD, rows, screen)}\n${made.join(', ')}; as of ${floorsAt}.${lost}`
}
