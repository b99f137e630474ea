import type { HandlerDef, StartFrom } from '../service/define.ts'
import { priorityToken } from '../message/priority.ts'
import { filtersOf } from './consumer-config.ts'

/** A durable of a handler on its event stream. Most handlers share their events out over several. */
export type EventDurable = {
  /** What its name ends in, behind `<service>_<handler>_`; undefined for a handler's only or main one. */
  readonly part: string | undefined
  /** Subjects it takes, without the namespace. */
  readonly filters: readonly string[]
  /** What its handler is called for, where the filters take more. */
  readonly meant?: readonly string[]
  /** Where it begins when it is new; a number: behind this sequence. */
  readonly startFrom: StartFrom | number | undefined
}

/**
 * The durables of a handler. No two take the same event. Each has one filter: a server that looks for
 * the next message of several goes through all subjects of a block for each message, so thousands of keys would make it
 * a hundred times slower (ADR 21). And one a priority, so that urgent ones need not wait until those before them are
 * delivered. The main one takes what a contract without a key and priorities would, so giving it either changes no durable.
 */
export function eventDurablesOf({ source, startFrom }: HandlerDef): readonly [EventDurable, ...EventDurable[]] {
  if (source.kind === 'topic') {
    const [main, below] = filtersOf(source).map((filter) => ({ part: undefined, filters: [filter], startFrom }))
    return [main!, ...(below ? [{ ...below, part: 'keyed', meant: [`${source.pattern}.*.*`] }] : [])]
  }
  const { type } = source
  const main = { part: undefined, filters: [type], startFrom }
  const urgent = source.priorities ? (['high', 'low'] as const) : []
  const more = urgent.map((priority) => ({ part: priority, filters: [type + priorityToken(priority)], startFrom }))
  return [main, ...more, ...(source.key ? [main, ...more].map(keyed) : [])]
}

function keyed({ part, filters, startFrom }: EventDurable): EventDurable {
  const name = part === undefined ? 'keyed' : `${part}_keyed`
  return { part: name, filters: filters.map((plain) => `${plain}.*.*`), startFrom }
}
