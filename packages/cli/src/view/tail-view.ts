import type { TailEvent } from '@malha/operations'
import { createColors } from 'picocolors'
import type { Screen } from './print.ts'
import { fit } from './text.ts'
import { whyOf } from './letters-view.ts'
import { inOneLine, visible } from './visible.ts'

const TIME = 12

/** An event on one line: when, who, what, of which key, and how its payload begins. */
export function tailLine(event: TailEvent, { width, colors }: Screen): string {
  const pc = createColors(colors)
  const { failed } = event
  const time = event.at.slice(11, 11 + TIME)
  const head = failed
    ? `${visible(`${failed.service}/${failed.handler}`)} failed ${visible(failed.type)} ${visible(failed.key ?? failed.id)} attempt ${failed.attempt}`
    : [event.service ?? '?', event.type ?? event.subject, event.key ?? event.id ?? '']
        .map((text) => visible(text))
        .join(' ')
  const rest = failed
    ? `${inOneLine(failed.code)} ${whyOf({ code: failed.code, reason: failed.message })}${failed.outcome === 'dead-letter' ? ' → dead letter' : ''}`
    : event.withheld !== undefined
      ? `(${event.payloadBytes} bytes, hidden: ${inOneLine(event.withheld)})`
      : event.payload === undefined
        ? `(${event.payloadBytes} bytes that are no text)`
        : inOneLine(event.payload)
  const room = Math.max(20, width - TIME - 2 - Array.from(head).length)
  return `${pc.dim(time)} ${failed ? pc.red(head) : head} ${pc.dim(fit(rest, room).trimEnd())}`
}
