import type { Answer, ExplainedEvent, Explanation } from '@malha/operations'
import { createColors } from 'picocolors'
import type { Screen } from './print.ts'
import { inOneLine, visible } from './visible.ts'

/** The sentence, the next step, then each handler where there are several. */
export function drawAnswer(answer: Answer, { colors }: Screen): string {
  const pc = createColors(colors)
  const { sentence, next, events, missing } = answer
  const several = events.reduce((sum, { handlers }) => sum + handlers.length, 0) > 1
  return [
    paintOf(answer.situation, colors)(`${inOneLine(sentence)}.`),
    ...(next === undefined ? [] : [`→ ${inOneLine(next)}`]),
    ...(several ? ['', ...events.flatMap((event) => eventLines(event, colors))] : []),
    ...missing.map((text) => pc.dim(`not looked at: ${inOneLine(text)}`)),
  ].join('\n')
}

function eventLines({ event, handlers }: ExplainedEvent, colors: boolean): string[] {
  const pc = createColors(colors)
  const { type, subject, key, id, stream, seq, storedAt } = event
  return [
    `${visible(type ?? subject)} ${visible(key ?? '')} ${pc.dim(visible(`${id ?? ''} ${stream} ${seq}, ${storedAt.slice(0, 23)}Z`))}`,
    ...handlers.map((each) => `  ${handlerLine(each, colors)}`),
  ]
}

/** `provider/senninha  retry  center.registered c-17 waits …` */
function handlerLine({ service, handler, situation, sentence }: Explanation, colors: boolean): string {
  return `${visible(`${service}/${handler}`)}  ${paintOf(situation, colors)(situation)}  ${inOneLine(sentence)}`
}

/** Green is done, red needs somebody, yellow passes by itself. */
export function paintOf(situation: Answer['situation'], colors: boolean): (text: string) => string {
  const pc = createColors(colors)
  if (situation === 'done' || situation === 'discarded' || situation === 'not-taken' || situation === 'no-handler')
    return pc.green
  const isGrave = ['dead-letter', 'expired', 'no-instance', 'unknown'].includes(situation)
  return isGrave ? pc.red : pc.yellow
}
