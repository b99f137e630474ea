import type { PublishedEvent } from '@malha/operations'
import { createColors } from 'picocolors'
import type { Screen } from './print.ts'
import { visible } from './visible.ts'

/** What became of an event, and where it is. */
export function drawPublished(event: PublishedEvent, { colors }: Screen): string {
  const pc = createColors(colors)
  const lines: [string, string][] = [
    ['type', `${event.type}/${event.version}`],
    ['id', event.id],
    ...(event.key === null ? [] : [['key', event.key] as [string, string]]),
    ['subject', event.subject],
    ['stream', event.seq === null ? event.stream : `${event.stream}, sequence ${event.seq}`],
    ...(event.waitsUntil === null ? [] : [['comes', event.waitsUntil] as [string, string]]),
  ]
  const end =
    event.seq === null
      ? 'It fits its contract. Nothing was stored.'
      : event.duplicate
        ? 'It was there already: nothing was stored.'
        : event.waitsUntil === null
          ? 'Stored.'
          : 'Stored; it waits.'
  return [...lines.map(([name, value]) => `${pc.dim(name.padEnd(8))} ${visible(value)}`), pc.green(end)].join('\n')
}
