import type { HandlerDef, ServiceDef } from '../service/define.ts'
import { eventDurablesOf } from './event-durables.ts'
import type { Names } from './names.ts'

/** A durable consumer of a handler, as the server names it. */
export type HandlerDurable = { readonly stream: string; readonly name: string; readonly filters: readonly string[] }

/** What a handler has: on its event stream, unless it keeps order or is a shadow, and on the lanes of its service. */
export function durablesOf(names: Names, service: ServiceDef, handler: string): HandlerDurable[] {
  const def = service.handlers[handler]!
  const lane = {
    stream: names.lanes(service.name),
    name: names.durable(service.name, handler),
    filters: [names.laneTarget(service.name, handler)],
  }
  return def.order || def.shadow ? [lane] : [...onEventStream(names, service.name, handler, def), lane]
}

const onEventStream = (names: Names, service: string, handler: string, def: HandlerDef): HandlerDurable[] =>
  eventDurablesOf(def).map(({ part, filters }) => ({
    stream: names.stream(def.source.stream),
    name: names.durable(service, handler, part),
    filters: filters.map((filter) => names.subject(filter)),
  }))
