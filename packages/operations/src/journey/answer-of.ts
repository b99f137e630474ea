import { type Answer, gravest, type ExplainedEvent } from '../why/why.ts'
import type { Hop, Journey } from './journey.ts'

/** What is to be said of a whole journey: of its handlers, the one that is in the worst way. Pure. */
export function answerOf({ roots }: Pick<Journey, 'roots'>): Pick<Answer, 'situation' | 'sentence' | 'next'> {
  return gravest(roots.flatMap(explained))
}

function explained({ event, handlers, caused }: Hop): ExplainedEvent[] {
  return [{ event, handlers }, ...caused.flatMap(explained)]
}
