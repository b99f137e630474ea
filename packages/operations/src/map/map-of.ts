import { contains, type Names, type ServiceContracts } from '@malha/mesh'
import type { ListedHandler } from '../handlers/list.ts'

/** A type of event, or a pattern that a handler hears and no known type matches. */
export type MappedSubject = {
  readonly name: string
  /** As the server names it. */
  readonly stream: string
  readonly isPattern: boolean
}

/** Who publishes what, and who hears it. */
export type MapOf = {
  readonly subjects: readonly MappedSubject[]
  /** As services declare it, and as their processes count it: of which of their handlers it comes, nobody says. */
  readonly publishes: readonly { readonly service: string; readonly subject: string }[]
  readonly hears: readonly { readonly service: string; readonly handler: string; readonly subject: string }[]
}

/** What services say that they publish, and what they were seen to publish. */
export type Told = {
  readonly services: readonly ServiceContracts[]
  readonly published?: readonly { readonly service: string; readonly type: string }[]
}

type Heard = Pick<ListedHandler, 'service' | 'handler' | 'source' | 'streams' | 'isShadow'>

/**
 * The mesh as a picture has it: services, subjects, handlers. Only what is known has an edge: what handlers hear, what services
 * say that they publish, and what they did publish of types that somebody knows. Without contracts (`services` is empty) the
 * subjects are those that are heard. Pure.
 */
export function mapOf(
  handlers: readonly Heard[],
  { services, published = [] }: Told,
  names: Pick<Names, 'stream'>,
): MapOf {
  const types = new Map<string, MappedSubject>()
  for (const { contracts } of services)
    for (const { type, stream } of contracts)
      if (stream && !types.has(type))
        types.set(type, { name: type, stream: names.stream(stream.name), isPattern: false })
  // A shadow takes only what a replay sends to it.
  const taking = handlers.filter(({ isShadow }) => !isShadow)
  const hears = taking.flatMap((handler) =>
    heardBy(handler, types).map((subject) => ({ service: handler.service, handler: handler.handler, subject })),
  )
  const declared = services.flatMap(({ service, publishes: said }) => said.map((type) => ({ service, type })))
  const publishers = new Map<string, Set<string>>()
  for (const { service, type } of [...declared, ...published])
    if (types.get(type)?.isPattern === false)
      publishers.set(service, (publishers.get(service) ?? new Set<string>()).add(type))
  const publishes = [...publishers].flatMap(([service, own]) => [...own].map((subject) => ({ service, subject })))
  const used = new Set([...hears, ...publishes].map(({ subject }) => subject))
  const subjects = [...types.values()].filter(({ name }) => used.has(name))
  return {
    subjects: subjects.toSorted((a, b) => (`${a.stream} ${a.name}` < `${b.stream} ${b.name}` ? -1 : 1)),
    publishes,
    hears,
  }
}

/** The types a handler hears; where none is known, what it asks for. Adds what was not known to `types`. */
function heardBy({ source, streams }: Heard, types: Map<string, MappedSubject>): string[] {
  const isPattern = /(^|\.)[*>]($|\.)/.test(source)
  const known = [...types.values()].filter(
    ({ name, stream }) => streams.includes(stream) && (isPattern ? contains(source, name) : name === source),
  )
  if (known.length > 0) return known.map(({ name }) => name)
  types.set(source, { name: source, stream: streams.at(-1) ?? '', isPattern })
  return [source]
}
