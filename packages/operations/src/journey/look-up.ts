import { ArchiveError, type ClickHouseOptions, type EventFilter, queryArchive } from '@malha/archive'
import { type Mesh, partitionOf } from '@malha/mesh'
import type { LetterIndex } from '../letters/letter-index.ts'
import type { LetterFilter } from '../letters/letter-filter.ts'
import { readWhole } from '../letters/read-whole.ts'
import { lastOf, nextOf } from '../read/direct.ts'
import type { MeshStream } from '../streams/mesh-streams.ts'
import { attemptsOf, tokenOf } from '../why/records.ts'
import type { Topology } from '../why/topology.ts'
import { archivedEvent, eventIn, eventOfLetter, type FoundEvent } from './found-event.ts'
import { scan, type ScanOptions, scanSince } from './scan.ts'
import { readTrace } from './spans.ts'

/** Where events are looked for. */
export type Sources = {
  readonly mesh: Mesh
  readonly index: LetterIndex
  readonly archive: ClickHouseOptions | undefined
  /** Base address of the store of traces. */
  readonly traces: string | undefined
  readonly topology: Topology
  /** Messages looked at where nothing but looking helps. */
  readonly scan: number
  readonly onScan: ScanOptions['onScan']
  /** What could not be looked at, or not to its end: for people. */
  readonly missing: string[]
}

const eventStreams = ({ topology }: Sources): readonly MeshStream[] =>
  topology.streams.filter(({ kind }) => kind === 'events')

/** Tokens of a type and its priority, at most. */
const MOST_TOKENS = 10

/** The last event of each type with a key. One read a stream: their indexes know keyed subjects. */
export async function lastOfKey(sources: Sources, key: string): Promise<FoundEvent[]> {
  const { mesh } = sources
  const token = tokenOf(key)
  if (token === undefined) return []
  const found = await Promise.all(
    eventStreams(sources).map(async (stream) => {
      const partition = partitionOf(token, Number(stream.info.config.metadata?.['malha.partitions'] ?? 16))
      const patterns = Array.from({ length: MOST_TOKENS - 1 }, (_, index) =>
        mesh.names.subject(`${'*.'.repeat(index + 2)}${partition}.${token}`),
      )
      return (await lastOf(mesh, stream.name, patterns)).flatMap((message) => eventIn(mesh, stream, message) ?? [])
    }),
  )
  // A subject of another type may end in the same tokens.
  return found.flat().filter((event) => event.key === key)
}

/** Events of a key that are read, at most, of each type. */
const MOST_OF_KEY = 500

/** All events with a key, of each type the newest {@link MOST_OF_KEY}. */
export async function allOfKey(sources: Sources, last: readonly FoundEvent[]): Promise<FoundEvent[]> {
  const { mesh, missing } = sources
  const found = await Promise.all(
    last.map(async ({ stream: name, subject, key }) => {
      const stream = eventStreams(sources).find((each) => each.name === name)!
      let all: FoundEvent[] = []
      let left = 0
      for (let seq = 1; ;) {
        const some = await nextOf(mesh, name, { seq, subject: mesh.names.subject(subject), most: MOST_OF_KEY })
        const next = [...all, ...some.flatMap((message) => eventIn(mesh, stream, message) ?? [])]
        all = next.slice(-MOST_OF_KEY)
        left += next.length - all.length
        if (some.length === 0) break
        seq = some.at(-1)!.seq + 1
      }
      if (left > 0) missing.push(`${left} older events of ${key} on ${subject} are left out`)
      return all
    }),
  )
  return found.flat()
}

/** Events that failed or died lately under a key or id, which need not be its last. */
export async function troubledBy(sources: Sources, keyOrId: string, by: 'key' | 'id'): Promise<FoundEvent[]> {
  const { mesh, topology } = sources
  const records = await attemptsOf(mesh, topology, [keyOrId])
  const failed = new Map(
    records.filter((each) => each[by] === keyOrId).map((each) => [`${each.stream}/${each.epoch}/${each.seq}`, each]),
  )
  const ofRecords = [...failed.values()].slice(-MOST_TROUBLED).map(async ({ stream: name, epoch, seq }) => {
    const stream = eventStreams(sources).find((each) => each.name === name)
    const [message] = stream ? await nextOf(mesh, name, { seq, most: 1 }) : []
    const event = stream && message?.seq === seq ? eventIn(mesh, stream, message) : undefined
    return event?.epoch === epoch ? event : undefined
  })
  const ofLetters = lettersBy(sources, { [by]: keyOrId, ...(by === 'key' && { state: 'open' }) })
  return [...(await Promise.all(ofRecords)), ...(await ofLetters)].filter((event) => event !== undefined)
}

const MOST_TROUBLED = 20

async function lettersBy({ mesh, index }: Sources, filter: LetterFilter): Promise<FoundEvent[]> {
  const { letters } = index.page(filter, { limit: MOST_TROUBLED })
  const whole = await Promise.all(letters.map(({ seq }) => readWhole(mesh, seq).catch(() => undefined)))
  return whole.flatMap((letter) => (letter && eventOfLetter(mesh, letter)) ?? [])
}

const AWAY = 'the archive: '

/** Events of the archive; none, and why, where it cannot be asked. */
export async function archivedBy(sources: Sources, filters: readonly EventFilter[]): Promise<FoundEvent[]> {
  const { mesh, archive, missing } = sources
  if (!archive) return []
  try {
    const mine = new Set(eventStreams(sources).map(({ name }) => name))
    const found = await Promise.all(
      filters.map(async (filter) => await queryArchive(archive, { limit: 1000, ...filter })),
    )
    return found
      .flat()
      .filter(({ stream }) => mine.has(stream))
      .map((event) => archivedEvent(mesh, event))
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error
    const text = `${AWAY}${error.message}`
    if (!missing.includes(text)) missing.push(text)
    return []
  }
}

/** Looks through the streams themselves, the newest first, and says so where it did not get to their end. */
export async function scanFor(
  sources: Sources,
  options: Pick<ScanOptions, 'isWanted' | 'isEnough'>,
): Promise<readonly FoundEvent[]> {
  const { mesh, scan: most, onScan } = sources
  const { events, looked, total, isCut } = await scan(mesh, eventStreams(sources), { ...options, most, onScan })
  if (isCut)
    sayCut(
      sources,
      `older events: the newest ${looked} of ${total} were looked at one by one; an archive finds all by id, and a key is found at once`,
    )
  return events
}

/** The same from a time on, for what an event led to. */
export async function scanBehind(
  sources: Sources,
  { since, isWanted }: Pick<ScanOptions, 'isWanted'> & { since: string },
): Promise<readonly FoundEvent[]> {
  const { mesh, scan: most, onScan } = sources
  const { events, looked, total, isCut } = await scanSince(mesh, eventStreams(sources), {
    since,
    isWanted,
    most,
    onScan,
  })
  if (isCut)
    sayCut(
      sources,
      `what came later: ${looked} of ${total} events behind it were looked at one by one; an archive has all that it led to`,
    )
  return events
}

/** An archive that was asked has what was not looked at. */
function sayCut({ archive, missing }: Sources, text: string): void {
  const isArchived = archive !== undefined && !missing.some((each) => each.startsWith(AWAY))
  if (!isArchived && !missing.includes(text)) missing.push(text)
}

/** Events that the spans of a trace name by where they were stored. */
export async function tracedBy(sources: Sources, traceId: string): Promise<FoundEvent[]> {
  const { mesh, traces, missing } = sources
  if (traces === undefined) return []
  const spans = await readTrace(traces, traceId).catch(() => [])
  const places = new Set(spans.map(({ attributes }) => String(attributes['messaging.message.id'] ?? '')))
  const found = await Promise.all(
    [...places].slice(0, MOST_TRACED).map(async (place) => {
      const [, name, seq] = /^(.+):(\d+)$/.exec(place) ?? []
      const stream = eventStreams(sources).find((each) => each.name === name)
      const [message] = stream ? await nextOf(mesh, stream.name, { seq: Number(seq), most: 1 }) : []
      return stream && message ? eventIn(mesh, stream, message) : undefined
    }),
  )
  if (places.size > MOST_TRACED) missing.push(`${places.size - MOST_TRACED} more messages of trace ${traceId}`)
  // A stream that was made again gives its sequences again.
  return found.filter((event) => event !== undefined && event.traceId === traceId) as FoundEvent[]
}

const MOST_TRACED = 200
