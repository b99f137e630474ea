import type { Answer, ExplainedEvent, Explanation } from '@malha/operations'
import { createColors } from 'picocolors'
import type { Screen } from './print.ts'
import { plural } from './text.ts'
import { inOneLine, visible } from './visible.ts'

/** Events of a key that are shown. */
const SHOWN = 5

/** The sentence, the next step, then each handler where there are several. */
export function drawAnswer(answer: Answer, { colors }: Screen): string {
  const pc = createColors(colors)
  const { situation, sentence, next, events, missing } = answer
  const several = events.reduce((sum, { handlers }) => sum + handlers.length, 0) > 1
  const shown = several ? events.slice(-SHOWN) : []
  const left = several ? events.length - shown.length : 0
  return [
    paintOf(situation, colors)(`${inOneLine(sentence)}.`),
    ...(next === undefined ? [] : [`→ ${inOneLine(next)}`]),
    ...(several ? [''] : []),
    ...(left > 0 ? [pc.dim(`${plural(left, 'older event')} not shown; --json has all`)] : []),
    ...shown.flatMap((each) => eventLines(each, answer, colors)),
    ...missing.map((text) => pc.dim(`not looked at: ${inOneLine(text)}`)),
  ].join('\n')
}

function eventLines({ event, handlers }: ExplainedEvent, answer: Answer, colors: boolean): string[] {
  const pc = createColors(colors)
  const { type, subject, key, id, stream, seq, storedAt } = event
  return [
    `${visible(type ?? subject)} ${visible(key ?? '')} ${pc.dim(visible(`${id ?? ''} ${stream} ${seq}, ${storedAt.slice(0, 23)}Z`))}`,
    ...handlers.map((each) => `  ${handlerLine(each, answer, colors)}`),
  ]
}

/** `provider/senninha  retry  center.registered c-17 waits …`; what is said above, or needs no words, is not said again. */
function handlerLine({ service, handler, situation, sentence }: Explanation, answer: Answer, colors: boolean): string {
  const isSaid = situation === 'done' || sentence === answer.sentence
  return `${visible(`${service}/${handler}`)}  ${paintOf(situation, colors)(situation)}${isSaid ? '' : `  ${inOneLine(sentence)}`}`
}

/** Green is done, red needs somebody, yellow passes by itself. */
export function paintOf(situation: Answer['situation'], colors: boolean): (text: string) => string {
  const pc = createColors(colors)
  if (situation === 'done' || situation === 'discarded' || situation === 'not-taken' || situation === 'no-handler')
    return pc.green
  const isGrave = ['dead-letter', 'expired', 'no-instance', 'unknown'].includes(situation)
  return isGrave ? pc.red : pc.yellow
}
