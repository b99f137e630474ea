import { type ConsumerInfo, jetstreamManager, type JetStreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { type Logger, silentLogger } from '../observe/logger.ts'
import { apiCode, apiCodes, deniedSubject } from './api-errors.ts'
import { ORDER, STREAMS, takenBy } from './consumer-config.ts'
import type { Names } from './names.ts'
import { contains } from './subject-overlap.ts'

/** Where a handler's events come from; with the namespace. */
export type HandlerPlace = {
  readonly stream: string
  readonly durables: readonly string[]
  /** What these take. */
  readonly filters: readonly string[]
}

export type OrphanOptions = {
  service: string
  /** The handlers the service defines. */
  handlers: Readonly<Record<string, HandlerPlace>>
  /** Handlers that are gone for good: what waits for them is given up. */
  retired?: readonly string[] | undefined
  /** @default silent */
  log?: Logger
}

/**
 * Durables of a service whose handler is not defined any more, or now reads another stream: their events would wait
 * for ever unseen; and durables of a handler that it reads no more. Looks at the streams of its handlers, and at its lanes, whose durables remember streams it has left.
 * Needs `$JS.API.CONSUMER.LIST.<stream>` for each; a stream whose consumers this user may not list is left out.
 * @returns a fault each, to be reported together with others as MESH_TOPOLOGY
 */
export async function orphanFaults(nc: NatsConnection, names: Names, options: OrphanOptions): Promise<string[]> {
  const log = options.log ?? silentLogger
  const search: Search = {
    jsm: await jetstreamManager(nc, { checkAPI: false }),
    names,
    service: options.service,
    current: new Map(Object.entries(options.handlers)),
    log,
    listed: new Map(),
  }
  await Promise.all([...streamsOf(search), names.lanes(options.service)].map((stream) => ownDurables(search, stream)))
  const retired = new Set(options.retired)
  const faults = await strays(search)
  for (const orphan of await find(search)) {
    if (retired.has(orphan.handler))
      log.warn(orphan, 'a retired handler has a durable still; what waits there is given up')
    else faults.push(sentence(search, orphan))
  }
  return faults
}

type Search = {
  readonly jsm: JetStreamManager
  readonly names: Names
  readonly service: string
  /** Where each handler reads now. */
  readonly current: ReadonlyMap<string, HandlerPlace>
  readonly log: Logger
  /** What was found on each stream. */
  readonly listed: Map<string, OwnDurables>
}

type OwnDurables = ReadonlyMap<string, [ConsumerInfo, ...ConsumerInfo[]]>

type Orphan = {
  readonly handler: string
  readonly stream: string
  readonly waiting: number
  /** It has no durable there, but a record for each partition. */
  readonly isOrdered: boolean
}

async function find(search: Search): Promise<Orphan[]> {
  const { names, service, current } = search
  const lanes = await ownDurables(search, names.lanes(service))
  const suspects = new Map<string, { handler: string; stream: string }>()
  const suspect = (handler: string, stream: string): void => {
    if (current.get(handler)?.stream !== stream) suspects.set(`${handler} ${stream}`, { handler, stream })
  }
  for (const stream of streamsOf(search))
    for (const handler of (await ownDurables(search, stream)).keys()) suspect(handler, stream)
  for (const [handler, [lane]] of lanes)
    for (const stream of (lane.config.metadata?.[STREAMS] ?? '').split(' ').filter(Boolean)) suspect(handler, stream)

  const found: Orphan[] = []
  for (const { handler, stream } of suspects.values()) {
    const durables = await durablesOf(search, stream, handler)
    // The lane of a handler that moved goes on being worked on.
    const lane = current.has(handler) ? undefined : lanes.get(handler)?.[0]
    const scheduled = current.has(handler) ? 0 : await scheduledOf(search, handler)
    const waiting = durables.reduce((sum, info) => sum + waitingAt(info), 0) + waitingAt(lane) + scheduled
    const isOrdered = lane?.config.metadata?.[ORDER] !== undefined
    if (durables.length > 0 || waiting > 0 || isOrdered) found.push({ handler, stream, waiting, isOrdered })
  }
  return found
}

/** What a handler has on a stream that may not be one of those it was looked for on. */
async function durablesOf(search: Search, stream: string, handler: string): Promise<ConsumerInfo[]> {
  const listed = (await ownDurables(search, stream)).get(handler)
  if (listed) return listed
  const main = await infoOf(search.jsm, stream, search.names.durable(search.service, handler))
  return main ? [main] : []
}

/**
 * Durables that a handler of now does not read, though messages wait there, or its own would take the same: it had others
 * before.
 */
async function strays(search: Search): Promise<string[]> {
  const faults: string[] = []
  for (const stream of streamsOf(search))
    for (const [handler, infos] of await ownDurables(search, stream)) {
      const place = search.current.get(handler)
      if (place?.stream !== stream) continue
      for (const info of infos)
        if (!place.durables.includes(info.name)) faults.push(...strayFaults(place, handler, info))
    }
  return faults
}

function strayFaults({ filters }: HandlerPlace, handler: string, info: ConsumerInfo): string[] {
  const taken = takenBy(info.config)
  // Its own is not as far there, and cannot be moved; and what is left alone would fill up.
  if (taken.length > 0 && taken.every((filter) => filters.some((wide) => contains(wide, filter))))
    return [
      `handler ${handler} took ${taken.join(', ')} with durable ${info.name} before, and would take that with another one now, which is not as far: ` +
        `it would handle events again. Give the handler another name with startFrom, and list this one in retired: ['${handler}']; ` +
        `or, where that does no harm, remove ${info.name} when nothing waits there`,
    ]
  return waitingAt(info) > 0 ? [straySentence(handler, info)] : []
}

function straySentence(handler: string, info: ConsumerInfo): string {
  const what = `durable ${info.name} on stream ${info.stream_name} has ${waitingAt(info)} messages waiting, which handler ${handler} of this release would not read`
  return info.num_waiting > 0
    ? `${what}, but a release that runs now does. If that one is newer, start it in place of this one; otherwise let it finish them, then stop it`
    : `${what} any more: its order, its key or its priorities are others; let a release that reads it finish them first`
}

const streamsOf = ({ current }: Search): Set<string> => new Set([...current.values()].map(({ stream }) => stream))

/** Retries of a handler that wait for their time. */
async function scheduledOf({ jsm, names, service }: Search, handler: string): Promise<number> {
  const filter = `${names.laneSchedules(service, handler)}>`
  const info = await jsm.streams.info(names.lanes(service), { subjects_filter: filter }).catch(() => undefined)
  return Object.keys(info?.state.subjects ?? {}).length
}

/** The durables of this service on one stream, by handler. */
async function ownDurables(search: Search, stream: string): Promise<OwnDurables> {
  const found = search.listed.get(stream) ?? (await listOwn(search, stream))
  search.listed.set(stream, found)
  return found
}

async function listOwn({ jsm, service, log }: Search, stream: string): Promise<OwnDurables> {
  const found = new Map<string, [ConsumerInfo, ...ConsumerInfo[]]>()
  try {
    for await (const info of jsm.consumers.list(stream)) {
      const { 'malha.service': owner, 'malha.handler': handler } = info.config.metadata ?? {}
      if (owner === service && handler !== undefined) found.set(handler, [info, ...(found.get(handler) ?? [])])
    }
  } catch (error) {
    const denied = deniedSubject(error)
    if (denied !== undefined) log.debug({ stream, denied }, 'this user may not list consumers: no search for orphans')
    else if (apiCode(error) !== apiCodes.streamMissing) throw error
  }
  return found
}

function sentence({ names, service, current }: Search, { handler, stream, waiting, isOrdered }: Orphan): string {
  const moved = current.get(handler)?.stream
  const gone =
    moved === undefined
      ? `service ${service} defines no handler ${handler}; rename the handler back`
      : `handler ${handler} reads ${moved} now; give the handler on ${moved} another name and keep this one`
  const what = isOrdered
    ? `handler ${handler} kept the order of keys of stream ${stream} and may not have done all`
    : `durable ${names.durable(service, handler)} on stream ${stream} has ${waiting} messages waiting`
  return `${what}, but ${gone}, or list it in retired: ['${handler}'] to give them up`
}

function waitingAt(info: ConsumerInfo | undefined): number {
  return info === undefined ? 0 : info.num_pending + info.num_ack_pending
}

async function infoOf(jsm: JetStreamManager, stream: string, durable: string): Promise<ConsumerInfo | undefined> {
  return jsm.consumers.info(stream, durable).catch((error: unknown) => {
    const missing: number[] = [apiCodes.consumerMissing, apiCodes.streamMissing]
    if (missing.includes(apiCode(error)) || deniedSubject(error) !== undefined) return undefined
    throw error
  })
}
