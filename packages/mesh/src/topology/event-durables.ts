import type { HandlerDef, StartFrom } from '../service/define.ts'
import { filtersOf } from './consumer-config.ts'

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
  return [{ part: undefined, filters: filtersOf(def.source), startFrom: def.startFrom }]
}
