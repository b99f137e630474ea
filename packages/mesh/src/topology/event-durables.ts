import type { HandlerDef, StartFrom } from '../service/define.ts'
import { filtersOf, filtersOfPriority } from './consumer-config.ts'

/** A durable of a handler on its event stream. Most handlers have one; some share their events out over several. */
export type EventDurable = {
  /** What its name ends in, behind `<service>_<handler>_`; undefined for a handler's only or main one. */
  readonly part: string | undefined
  /** Subjects it takes, without the namespace. */
  readonly filters: readonly string[]
  /** Where it begins when it is new. */
  readonly startFrom: StartFrom | undefined
}

/** The durables of a handler. No two take the same event. */
export function eventDurablesOf(def: HandlerDef): readonly [EventDurable, ...EventDurable[]] {
  const { source, startFrom } = def
  if (source.kind === 'topic' || !source.priorities) return [{ part: undefined, filters: filtersOf(source), startFrom }]
  // One a priority, so that urgent ones need not wait until those before them are delivered.
  return [
    { part: undefined, filters: filtersOfPriority(source, 'normal'), startFrom },
    { part: 'high', filters: filtersOfPriority(source, 'high'), startFrom },
    { part: 'low', filters: filtersOfPriority(source, 'low'), startFrom },
  ]
}
