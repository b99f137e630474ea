import {
  type AnyContract,
  type Contract,
  isDeclared,
  isMatch,
  isObject,
  isWhole,
  keyToken,
  partitionOf,
  shown,
  type StreamDef,
} from '@malha/mesh'
import { faultsError } from '../errors.ts'

/** The contracts of an aggregate's events, by the names under which its functions know them. */
export type EventContracts = Readonly<Record<string, AnyContract>>

/** An event as `decide` returns it: the data a publisher gives. */
export type NewEvent<Events extends EventContracts> = {
  [Name in keyof Events & string]: {
    readonly type: Name
    readonly data: Events[Name] extends Contract<infer In, infer _Out> ? In : never
  }
}[keyof Events & string]

/** An event as `evolve` gets it: the data a handler gets. */
export type PastEvent<Events extends EventContracts> = {
  [Name in keyof Events & string]: {
    readonly type: Name
    readonly data: Events[Name] extends Contract<infer _In, infer Out> ? Out : never
  }
}[keyof Events & string]

export type AggregateOptions<State, Command, Events extends EventContracts> = {
  /** All events of the aggregate: of one stream, keyed by the aggregate's id, of types that differ in their last token only (`account.…`). */
  events: Events
  /** The state before anything has happened. */
  initial: () => State
  /** What a command leads to; nothing is fine. Pure. Throw to refuse it: `Reject` in a handler. */
  decide: (state: NoInfer<State>, command: Command) => readonly NewEvent<NoInfer<Events>>[]
  /** The state after an event. Pure, and never refuses: what happened has happened. */
  evolve: (state: NoInfer<State>, event: PastEvent<NoInfer<Events>>) => NoInfer<State>
  /** Grows with each change of `State` or `evolve`: snapshots of another version are not used. @default 1 */
  version?: number
}

/** An event-sourced aggregate as declared data. */
export type AggregateDef<State, Command, Events extends EventContracts> = Required<
  AggregateOptions<State, Command, Events>
> & {
  readonly kind: 'aggregate'
  readonly name: string
  readonly stream: StreamDef
  /** The beginning of all of its types, and `*` for their last token: `account.*`. */
  readonly pattern: string
}

/**
 * Declares an aggregate. Nothing happens until `openAggregate`.
 * @param name lower case, e.g. `account`
 * @throws PatternsError PATTERNS_INVALID_DEFINITION with every fault
 */
export function aggregate<State, Command, Events extends EventContracts>(
  name: string,
  given: AggregateOptions<State, Command, Events>,
): AggregateDef<State, Command, Events> {
  const options = given ?? {}
  const contracts = contractsOf(options.events)
  const faults = [...eventsFaults(options.events), ...functionFaults(options)]
  faults.push(...aggregateFaults({ name, contracts, version: options.version ?? 1 }))
  if (faults.length > 0) throw faultsError(`aggregate ${shown(name)}`, faults)
  return Object.freeze({
    ...options,
    kind: 'aggregate' as const,
    name,
    version: options.version ?? 1,
    stream: contracts[0]!.stream,
    pattern: patternOf(contracts[0]!.type)!,
  })
}

/** Where all that happened to one aggregate stands, whatever its types: `account.*.4.a-1`. */
export function subjectsOf({ pattern, stream }: { pattern: string; stream: StreamDef }, id: string): string {
  const token = keyToken(id)
  return `${pattern}.${partitionOf(token, stream.partitions)}.${token}`
}

/**
 * What one type alone says of the pattern, so that releases that know other types of the aggregate use the same one: on
 * replicas the server holds writes at once apart by its text. Undefined for a type without a beginning.
 */
export function patternOf(type: string): string | undefined {
  const tokens = type.split('.')
  return tokens.length === 1 ? undefined : [...tokens.slice(0, -1), '*'].join('.')
}

/** Those of what was given that are contracts. */
export const contractsOf = (events: EventContracts): AnyContract[] =>
  Object.values(isObject(events) ? events : {}).filter((one) => isDeclared(one, 'event', 'command'))

/** What is no contract where one is needed. */
export function eventsFaults(events: EventContracts): string[] {
  if (!isObject(events)) return [`events is ${shown(events)}; an object of contracts by name`]
  return Object.entries(events)
    .filter(([, one]) => !isDeclared(one, 'event', 'command'))
    .map(([name, one]) => `event ${JSON.stringify(name)} is ${shown(one)}; give it what event(…) returns`)
}

function functionFaults(options: object): string[] {
  return ['initial', 'decide', 'evolve']
    .filter((name) => typeof Reflect.get(Object(options), name) !== 'function')
    .map((name) => `${name} is no function`)
}

function aggregateFaults(def: { name: string; contracts: readonly AnyContract[]; version: number }): string[] {
  const faults: string[] = []
  if (!isMatch(def.name, /^[a-z][a-z0-9-]{0,31}$/)) faults.push('its name takes a-z, 0-9 and -, 32 characters at most')
  if (def.contracts.length === 0) faults.push('it has no events')
  if (!isWhole(def.version, 1)) faults.push(`version is ${shown(def.version)}; a whole number from 1`)
  const streams = new Set(def.contracts.map(({ stream }) => stream.name))
  if (streams.size > 1)
    faults.push(`its events are of ${streams.size} streams (${[...streams].join(', ')}); one holds them all`)
  const patterns = new Set(def.contracts.map(({ type }) => patternOf(type)))
  if (patterns.size > 1 || patterns.has(undefined))
    faults.push(
      'its types differ in more than their last token, or have only that; give them one beginning, e.g. account.opened, account.closed',
    )
  for (const { type, key, kind } of def.contracts) {
    if (key === undefined) faults.push(`${type} has no key; it is the aggregate’s id`)
    if (kind !== 'event') faults.push(`${type} is a ${kind}; an aggregate is made of events`)
  }
  return faults
}
