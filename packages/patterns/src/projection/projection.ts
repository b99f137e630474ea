import { type AnyContract, isMatch, isWhole, shown, type StreamDef } from '@malha/mesh'
import { contractsOf, type EventContracts, eventsFaults, type PastEvent } from '../aggregate/aggregate.ts'
import { faultsError } from '../errors.ts'

/** What a projection may know of the event it takes in. */
export type Appearance = {
  /** Where the view goes. */
  readonly key: string
  /** The event's `ce-id`. */
  readonly id: string
  readonly seq: number
  /** When it happened (`ce-time`), RFC 3339. */
  readonly at: string
}

export type ProjectionOptions<View, Events extends EventContracts> = {
  /** Grows with each change of `View` or `project`: the new one is built beside the old one. */
  version: number
  /** What it is made of: events of one stream. */
  events: Events
  /** Whose view an event changes. @default that of the event's key */
  key?: (event: PastEvent<NoInfer<Events>>) => string
  /** The view after an event; undefined removes it. Pure, and in the order of the stream. Views must survive JSON. */
  project: (view: View | undefined, event: PastEvent<NoInfer<Events>>, appearance: Appearance) => View | undefined
  /** A view of an older version for readers of this one, while this one is being built. @default as it is */
  upcast?: (view: unknown, fromVersion: number) => View
  /**
   * What to do where events have left the stream before they were taken in: begin or go on without them, or not.
   * @default 'refuse'
   */
  gaps?: 'refuse' | 'accept'
}

/** A projection as declared data. */
export type ProjectionDef<View, Events extends EventContracts = EventContracts> = {
  readonly kind: 'projection'
  readonly name: string
  readonly version: number
  readonly events: Events
  readonly stream: StreamDef
  /** Covers the subjects of all its events, and maybe of others. */
  readonly subjects: string
  readonly key?: (event: PastEvent<Events>) => string
  readonly project: (view: View | undefined, event: PastEvent<Events>, appearance: Appearance) => View | undefined
  readonly upcast: (view: unknown, fromVersion: number) => View
  readonly gaps: 'refuse' | 'accept'
}

/**
 * Declares a projection: a view a key, made of the events of a stream. Nothing happens until `runProjection`.
 * @param name lower case, e.g. `balances`
 * @throws PatternsError PATTERNS_INVALID_DEFINITION with every fault
 */
export function projection<View, Events extends EventContracts>(
  name: string,
  given: ProjectionOptions<View, Events>,
): ProjectionDef<View, Events> {
  const options = given ?? {}
  const contracts = contractsOf(options.events)
  const faults = [...eventsFaults(options.events), ...projectionFaults(name, options, contracts)]
  if (faults.length > 0) throw faultsError(`projection ${shown(name)}`, faults)
  return Object.freeze({
    kind: 'projection' as const,
    name,
    version: options.version,
    events: options.events,
    stream: contracts[0]!.stream,
    subjects: coveringSubjects(contracts),
    ...(options.key && { key: options.key }),
    project: options.project,
    upcast: options.upcast ?? ((view) => view as View),
    gaps: options.gaps ?? 'refuse',
  })
}

/** The narrowest single pattern over all of them; `>` at worst. */
export function coveringSubjects(contracts: readonly { type: string; key: unknown }[]): string {
  const types = contracts.map(({ type }) => type)
  const pattern = commonPattern(types)
  if (pattern !== undefined && contracts.every(({ key }) => key !== undefined)) return `${pattern}.*.*`
  if (types.length === 1) return types[0]!
  const [first = [], ...others] = types.map((type) => type.split('.'))
  const differsAt = first.findIndex((token, at) => others.some((tokens) => tokens[at] !== token))
  const common = differsAt === -1 ? first.slice(0, -1) : first.slice(0, differsAt)
  return [...common, '>'].join('.')
}

/** Undefined where they have different lengths, or begin differently. */
function commonPattern(types: readonly string[]): string | undefined {
  const [first = [], ...others] = types.map((type) => type.split('.'))
  if (others.some((tokens) => tokens.length !== first.length || tokens[0] !== first[0])) return undefined
  return first.map((token, at) => (others.every((tokens) => tokens[at] === token) ? token : '*')).join('.')
}

function projectionFaults(
  name: string,
  { version, key, project, upcast, gaps }: { [Name in 'version' | 'key' | 'project' | 'upcast' | 'gaps']?: unknown },
  contracts: readonly AnyContract[],
): string[] {
  const faults: string[] = []
  if (!isMatch(name, /^[a-z][a-z0-9-]{0,31}$/)) faults.push('its name takes a-z, 0-9 and -, 32 characters at most')
  if (!isWhole(version, 1)) faults.push(`version is ${shown(version)}; a whole number from 1`)
  if (typeof project !== 'function') faults.push('project is no function')
  for (const [option, value] of Object.entries({ key, upcast }))
    if (value !== undefined && typeof value !== 'function') faults.push(`${option} is ${shown(value)}; a function`)
  if (gaps !== undefined && gaps !== 'refuse' && gaps !== 'accept')
    faults.push(`gaps is ${shown(gaps)}; 'refuse' or 'accept'`)
  if (contracts.length === 0) faults.push('it has no events')
  const streams = new Set(contracts.map(({ stream }) => stream.name))
  if (streams.size > 1)
    faults.push(`its events are of ${streams.size} streams (${[...streams].join(', ')}); only one stream has an order`)
  for (const contract of contracts)
    if (contract.key === undefined && key === undefined)
      faults.push(`${contract.type} has no key; say with key whose view it changes`)
  return faults
}
