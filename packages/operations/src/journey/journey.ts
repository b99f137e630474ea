import { type Caused, treeOf } from '@malha/archive'
import { type AttemptFailed, derivedId } from '@malha/mesh'
import { type Explanation, explainEvents } from '../why/why.ts'
import { attemptsOf } from '../why/records.ts'
import { isFor, type Topology } from '../why/topology.ts'
import { type FoundEvent, onceEach, placeOf } from './found-event.ts'
import { allOfKey, archivedBy, lastOfKey, scanBehind, scanFor, type Sources, tracedBy, troubledBy } from './look-up.ts'
import { readTrace, type Span } from './spans.ts'

/** What one handler did with an event. */
export type HandlerHop = Explanation & {
  /** Those that failed and were written down, at most one a second; oldest first. */
  readonly attempts: readonly AttemptFailed[]
}

/** An event on its way: what handlers did with it, and what came of that. */
export type Hop = {
  readonly event: FoundEvent
  /** The handler whose output it is; undefined where none of its service says so. */
  readonly publishedBy: string | undefined
  /** Of what came of a new message that a run made of another one: which that was. */
  readonly copy: CopyOf | undefined
  readonly handlers: readonly HandlerHop[]
  readonly caused: readonly Hop[]
}

/** A new message that a run made of an event (`--as-new`). It is stored nowhere: what it led to tells of it. */
export type CopyOf = {
  /** Its own id. */
  readonly id: string
  /** Id of the event that it was made of. */
  readonly of: string
  readonly run: string
  readonly service: string
  readonly handler: string
}

/** Everything that is known to have happened. */
export type Journey = {
  readonly asked: string
  /** What it was found to be, `copy` a message that a run made of another one; undefined: nothing was found. */
  readonly as: 'key' | 'id' | 'correlation' | 'trace' | 'copy' | undefined
  /** What began it, oldest first. */
  readonly roots: readonly Hop[]
  readonly events: number
  /** Those that were found, where traces can be read. */
  readonly traces: readonly { readonly traceId: string; readonly spans: readonly Span[] }[]
  /** What could not be looked at, or not to its end. */
  readonly missing: readonly string[]
}

/** Events of one journey that are shown, at most. */
const MOST_EVENTS = 1000
const MOST_TRACES = 5
const MOST_CORRELATIONS = 50

/** Follows a message by its id, a correlation id, a trace id or a key, through all that it caused. */
export async function follow(sources: Sources, asked: string): Promise<Journey> {
  const { as, events: begun } = await begin(sources, asked)
  const found = onceEach(as === undefined ? begun : await relatedTo(sources, begun))
  const events = found.slice(0, MOST_EVENTS)
  const { missing } = sources
  if (found.length > events.length) missing.push(`${found.length - events.length} later events`)
  const hops = await hopsOf(sources, events)
  const copies = copiesIn(events, hops)
  const all = treeOf(events).map((root) => hopOf(sources.topology, hops, root, { copies }))
  // A copy is a journey of its own: what it was made of is named.
  const roots = as === 'copy' ? all.filter(({ copy }) => copy?.id === asked) : all
  return {
    asked,
    as,
    roots,
    events: roots.reduce((sum, root) => sum + countOf(root), 0),
    traces: await tracesOf(sources, { events, hops }),
    missing,
  }
}

const TRACE_ID = /^[0-9a-f]{32}$/i

async function begin(sources: Sources, asked: string): Promise<{ as: Journey['as']; events: readonly FoundEvent[] }> {
  const last = await lastOfKey(sources, asked)
  if (last.length > 0) {
    const archived = await archivedBy(sources, [{ key: asked }])
    return { as: 'key', events: [...(await allOfKey(sources, last)), ...archived] }
  }
  const [trace, id] = [asked.toLowerCase(), asked]
  const mayBeTrace = TRACE_ID.test(asked)
  const known = [
    ...(await troubledBy(sources, id, 'id')),
    ...(await archivedBy(sources, [{ id }, { correlation: id }, ...(mayBeTrace ? [{ trace }] : [])])),
    ...(mayBeTrace ? await tracedBy(sources, trace) : []),
  ]
  // The archive is behind the streams by seconds, and a letter says nothing of what else there is.
  const isWanted = (event: FoundEvent): boolean =>
    event.id === id || event.causationId === id || event.correlationId === id || (mayBeTrace && event.traceId === trace)
  const events = [...known, ...(known.length > 0 ? [] : await scanFor(sources, { isWanted }))]
  if (events.some((event) => event.id === id)) return { as: 'id', events }
  if (events.some((event) => event.correlationId === id)) return { as: 'correlation', events }
  if (events.some((event) => event.causationId === id)) return { as: 'copy', events }
  if (events.length > 0) return { as: 'trace', events }
  const ofKey = [...(await archivedBy(sources, [{ key: asked }])), ...(await troubledBy(sources, asked, 'key'))]
  return { as: ofKey.length > 0 ? 'key' : undefined, events: ofKey }
}

/** All that goes back to the same beginnings. */
async function relatedTo(sources: Sources, begun: readonly FoundEvent[]): Promise<FoundEvent[]> {
  const named = [...new Set(begun.flatMap(({ correlationId }) => correlationId ?? []))]
  const correlations = new Set(named.slice(-MOST_CORRELATIONS))
  if (named.length > correlations.size)
    sources.missing.push(`what ${named.length - correlations.size} older events led to`)
  if (correlations.size === 0) return [...begun]
  const archived = await archivedBy(
    sources,
    [...correlations].flatMap((one) => [{ correlation: one }, { id: one }]),
  )
  const isWanted = ({ id, correlationId }: FoundEvent): boolean =>
    correlations.has(correlationId ?? '') || correlations.has(id ?? '')
  const known = [...begun, ...archived]
  // What began it is the oldest there is of it; where that is not known yet, it may be anywhere.
  const ids = new Set(known.flatMap(({ id }) => id ?? []))
  const isComplete = [...correlations].every((one) => ids.has(one))
  const oldest = known.reduce((one, other) => (BigInt(other.storedNs) < BigInt(one.storedNs) ? other : one))
  const scanned = isComplete
    ? await scanBehind(sources, { isWanted, since: oldest.storedAt })
    : await scanFor(sources, { isWanted })
  return [...known, ...scanned]
}

async function hopsOf(
  sources: Sources,
  events: readonly FoundEvent[],
): Promise<ReadonlyMap<string, readonly HandlerHop[]>> {
  const { mesh, topology } = sources
  const [explained, attempts] = await Promise.all([
    explainEvents(sources, events),
    attemptsOf(
      mesh,
      topology,
      events.flatMap(({ key, id }) => key ?? id ?? []),
    ),
  ])
  return new Map(
    explained.map(({ event, handlers }): [string, HandlerHop[]] => [
      placeOf(event),
      handlers.map((each) => ({
        ...each,
        attempts: attempts.filter(
          ({ service, handler, ...at }) =>
            service === each.service &&
            handler === each.handler &&
            at.id === event.id &&
            placeOf(at) === placeOf(event),
        ),
      })),
    ]),
  )
}

function hopOf(
  topology: Topology,
  hops: ReadonlyMap<string, readonly HandlerHop[]>,
  { event, caused }: Caused<FoundEvent>,
  { cause, copies }: { cause?: FoundEvent; copies: ReadonlyMap<string, CopyOf> },
): Hop {
  const copy = cause ? undefined : copies.get(event.causationId ?? '')
  return {
    event,
    publishedBy: cause ? publisherOf(topology, cause, event) : copy?.handler,
    copy,
    handlers: hops.get(placeOf(event)) ?? [],
    caused: caused.map((each) => hopOf(topology, hops, each, { cause: event, copies })),
  }
}

/** Of all events, the messages that runs made of them, by the ids of these. */
function copiesIn(
  events: readonly FoundEvent[],
  hops: ReadonlyMap<string, readonly HandlerHop[]>,
): ReadonlyMap<string, CopyOf> {
  const copies = new Map<string, CopyOf>()
  for (const event of events)
    for (const { service, handler, runs } of hops.get(placeOf(event)) ?? [])
      for (const { run, copyId: id } of runs)
        if (id !== undefined && event.id !== undefined) copies.set(id, { id, of: event.id, run, service, handler })
  return copies
}

const countOf = ({ caused }: Hop): number => caused.reduce((sum, each) => sum + countOf(each), 1)

/** Outputs of one type and key that a handler is thought to have, at most. */
const MOST_ALIKE = 50

/** An output's id is made of its handler, so it tells whose it is. */
function publisherOf(
  { handlers }: Topology,
  cause: FoundEvent,
  { id, type, key, service }: FoundEvent,
): string | undefined {
  const from = cause.id
  if (from === undefined || type === undefined || service === undefined) return undefined
  return handlers.find(
    (each) =>
      each.service === service &&
      isFor(each, cause) &&
      Array.from({ length: MOST_ALIKE }, (_, index) => index).some(
        (index) => derivedId({ from, service, handler: each.handler, type, key, index }) === id,
      ),
  )?.handler
}

async function tracesOf(
  { missing, traces }: Sources,
  { events, hops }: { events: readonly FoundEvent[]; hops: ReadonlyMap<string, readonly HandlerHop[]> },
): Promise<Journey['traces']> {
  // What is sent again is in a trace of its own.
  const ofRuns = [...hops.values()].flat().flatMap(({ runs }) => runs)
  const ids = [...new Set([...events, ...ofRuns].flatMap(({ traceId }) => traceId ?? []))]
  if (traces === undefined || ids.length === 0) return []
  if (ids.length > MOST_TRACES) missing.push(`${ids.length - MOST_TRACES} more traces`)
  const read = await Promise.all(
    ids.slice(0, MOST_TRACES).map(async (traceId) => {
      const spans = await readTrace(traces, traceId).catch((error: unknown) => {
        const why =
          error instanceof Error ? ((error.cause as Error | undefined)?.message ?? error.message) : String(error)
        missing.push(`trace ${traceId}: ${new URL(traces).host} does not answer (${why})`)
        return []
      })
      return { traceId, spans }
    }),
  )
  return read.filter(({ spans }) => spans.length > 0)
}
