import { onceEach, type FoundEvent } from '../journey/found-event.ts'
import { archivedBy, lastOfKey, scanFor, type Sources, troubledBy } from '../journey/look-up.ts'
import { decide, isGraver, type Situation, type Verdict } from './decide.ts'
import { delayed } from './delayed.ts'
import { gatherFacts, titleOf } from './gather.ts'
import type { RunHop } from './run-records.ts'

/** What one handler has to do with an event. */
export type Explanation = Verdict & {
  readonly service: string
  readonly handler: string
  /** Runs that sent it to the handler again, and what came of each; the oldest first. */
  readonly runs: readonly RunHop[]
}

/** An event, and where each handler that takes it is with it. */
export type ExplainedEvent = { readonly event: FoundEvent; readonly handlers: readonly Explanation[] }

/** Why something is not done, or what became of it. */
export type Answer = {
  readonly asked: string
  /** What it was found to be. */
  readonly as: 'key' | 'id' | undefined
  /** Of the gravest. `no-handler`: nobody takes it. `delayed`: it is published for later. `unknown`: it is not there. */
  readonly situation: Situation | 'no-handler' | 'delayed' | 'unknown'
  readonly sentence: string
  readonly next: string | undefined
  readonly events: readonly ExplainedEvent[]
  /** What could not be looked at. */
  readonly missing: readonly string[]
}

/** Says of a key or an id why what it is about is not done. */
export async function explain(sources: Sources, asked: string): Promise<Answer> {
  const { as, events } = await find(sources, asked)
  const { missing } = sources
  if (events.length === 0) return { asked, as, ...(await delayed(sources, asked)), events: [], missing }
  const explained = await explainEvents(sources, events)
  return { asked, as, ...gravest(explained), events: explained, missing }
}

/** What each handler has to do with each of some events. */
export async function explainEvents(sources: Sources, events: readonly FoundEvent[]): Promise<ExplainedEvent[]> {
  const facts = await gatherFacts(sources, events)
  return facts.map(({ event, handlers }) => ({
    event,
    handlers: handlers.map((each) => ({
      service: each.service,
      handler: each.handler,
      runs: each.runs,
      ...decide(each),
    })),
  }))
}

/** A key first, since keys are found at once. */
async function find(sources: Sources, asked: string): Promise<{ as: Answer['as']; events: FoundEvent[] }> {
  const [last, troubled] = await Promise.all([lastOfKey(sources, asked), troubledBy(sources, asked, 'key')])
  if (last.length + troubled.length > 0) return { as: 'key', events: onceEach([...last, ...troubled]) }
  const known = [...(await troubledBy(sources, asked, 'id')), ...(await archivedBy(sources, [{ id: asked }]))]
  const isWanted = ({ id }: FoundEvent): boolean => id === asked
  const events = known.length > 0 ? known : await scanFor(sources, { isWanted, isEnough: (some) => some.length > 0 })
  if (events.length > 0) return { as: 'id', events: onceEach(events) }
  const ofKey = await archivedBy(sources, [{ key: asked, limit: 10 }])
  return ofKey.length > 0 ? { as: 'key', events: onceEach(ofKey) } : { as: undefined, events: [] }
}

/** Pure. */
export function gravest(explained: readonly ExplainedEvent[]): Pick<Answer, 'situation' | 'sentence' | 'next'> {
  const all = explained.flatMap(({ handlers }) => handlers)
  const [first] = all
  if (!first) {
    const { event } = explained.at(-1)!
    return {
      situation: 'no-handler',
      sentence: `no handler of this mesh takes ${titleOf(event)}; it stands in ${event.stream} at sequence ${event.seq}`,
      next: undefined,
    }
  }
  const worst = all.reduce((one, other) => (isGraver(other.situation, one.situation) ? other : one), first)
  if (worst.situation !== 'done' || all.length === 1) return worst
  const taken = explained.filter(({ handlers }) => handlers.length > 0)
  const titles = [...new Set(taken.map(({ event }) => titleOf(event)))]
  const whose = [...new Set(all.map(({ service, handler }) => `${service}/${handler}`))]
  return {
    situation: 'done',
    sentence: `${titles.join(', ')} ${titles.length === 1 ? 'is' : 'are'} done by ${whose.join(' and ')}`,
    next: undefined,
  }
}
