import { eventDurablesOf, type HandlerDef, type Names, type ServiceDef } from '@malha/mesh'

/** A durable consumer of a handler, as the server names it. */
export type Durable = { readonly stream: string; readonly name: string; readonly filters: readonly string[] }

/** What a handler has: on its event stream, unless it keeps order or is a shadow, and on the lanes of its service. */
export function durablesOf(names: Names, service: ServiceDef, handler: string): Durable[] {
  const def = service.handlers[handler]!
  const lane = {
    stream: names.lanes(service.name),
    name: names.durable(service.name, handler),
    filters: [names.laneTarget(service.name, handler)],
  }
  return def.order || def.shadow ? [lane] : [...onEventStream(names, service.name, handler, def), lane]
}

const onEventStream = (names: Names, service: string, handler: string, def: HandlerDef): Durable[] =>
  eventDurablesOf(def).map(({ part, filters }) => ({
    stream: names.stream(def.source.stream),
    name: names.durable(service, handler, part),
    filters: filters.map((filter) => names.subject(filter)),
  }))

/** Of all handlers of a service. */
export const allDurablesOf = (names: Names, service: ServiceDef): Durable[] =>
  Object.keys(service.handlers).flatMap((handler) => durablesOf(names, service, handler))
