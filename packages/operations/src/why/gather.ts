import type { AttemptFailed, Mesh } from '@malha/mesh'
import type { ConsumerInfo } from '@nats-io/jetstream'
import { serverTime } from '../handlers/find-handler.ts'
import { type FoundEvent, tailOf } from '../journey/found-event.ts'
import type { LetterIndex } from '../letters/letter-index.ts'
import { jsonOf } from '../read/direct-message.ts'
import { lastOf } from '../read/direct.ts'
import type { HandlerFacts, Position } from './facts.ts'
import { type LiveFacts, liveFacts } from './live.ts'
import { orderedPosition } from './partition-facts.ts'
import { givenUpAt } from './given-up.ts'
import { inRun, queues } from './queue.ts'
import { attemptsOf, readWritten, type Written } from './records.ts'
import { durableFor, isFor, nameOf, type PlacedHandler, type Topology } from './topology.ts'

/** Facts about one event: of each handler that takes it. */
export type EventFacts = { readonly event: FoundEvent; readonly handlers: readonly HandlerFacts[] }

type Known = {
  readonly mesh: Mesh
  readonly index: LetterIndex
  readonly topology: Topology
  readonly written: Written
  readonly attempts: readonly AttemptFailed[]
  readonly live: LiveFacts
  readonly nowMs: number
  /** What could not be read. */
  readonly missing: string[]
  /** What is due on lanes; read where it is asked for. */
  readonly queued: ReturnType<typeof queues>
}

/** Reads all that is known of some events and the handlers that take them. Nothing on the server changes. */
export async function gatherFacts(
  { mesh, index, topology, missing }: Pick<Known, 'mesh' | 'index' | 'topology' | 'missing'>,
  events: readonly FoundEvent[],
): Promise<EventFacts[]> {
  const taken = topology.handlers.filter((handler) => events.some((event) => isFor(handler, event)))
  const nowMs = serverNow(taken)
  const keys = events.flatMap(({ key, id }) => key ?? id ?? [])
  const [written, attempts, live] = await Promise.all([
    readWritten(mesh, topology, events),
    attemptsOf(mesh, topology, keys),
    liveFacts(mesh, { handlers: taken, nowMs, missing }),
  ])
  const known: Known = { mesh, index, topology, missing, written, attempts, live, nowMs, queued: queues(mesh) }
  return await Promise.all(
    events.map(async (event) => ({
      event,
      handlers: await Promise.all(
        taken.filter((handler) => isFor(handler, event)).map((handler) => factsOf(known, handler, event)),
      ),
    })),
  )
}

/** Times of records and pauses are by the server's clock. */
const serverNow = ([handler]: readonly PlacedHandler[]): number =>
  handler ? serverTime(handler.lane).getTime() : Date.now()

/** `center.registered c-17` */
export const titleOf = ({ type, subject, key, id, seq }: FoundEvent): string =>
  `${type ?? subject} ${key ?? id ?? `at sequence ${seq}`}`

async function factsOf(known: Known, handler: PlacedHandler, event: FoundEvent): Promise<HandlerFacts> {
  const { mesh, written, live, topology } = known
  const about = `${nameOf(handler)} ${tailOf(mesh, event)}`
  const stream = topology.streams.find(({ name }) => name === event.stream)
  const isInStream = event.foundIn === 'stream' || (stream !== undefined && stands(stream.info, event))
  const attempts = known.attempts.filter((each) => isAttemptAt(each, handler, event))
  const { position, isPulled } = await whereIs(known, handler, event)
  const copies = await known.queued(handler, { tail: tailOf(mesh, event), attempts })
  const runs = written.runs.get(about) ?? []
  return {
    service: handler.service,
    handler: handler.handler,
    nowMs: known.nowMs,
    event: titleOf(event),
    stream: event.stream,
    seq: event.seq,
    isInStream,
    isAccounted: isInStream || (await isAccounted(known, handler, event)),
    position,
    isPulled,
    attempts,
    letter: written.letters.get(about),
    expired: isInStream ? undefined : expiredIn(known, handler, event),
    waiting: written.waiting.get(about),
    isQueued: !written.waiting.has(about) && copies.some(({ ofRun }) => !ofRun),
    givenUpAt: await givenUpAt(known, handler, event),
    inRun: inRun({ runs, copies, waiting: written.waitingInRun.get(about) }),
    runs,
    doneAt: written.doneAt.get(about),
    live: live(handler),
  }
}

const isAttemptAt = (attempt: AttemptFailed, { service, handler }: PlacedHandler, event: FoundEvent): boolean =>
  attempt.service === service &&
  attempt.handler === handler &&
  attempt.id === event.id &&
  attempt.stream === event.stream &&
  attempt.epoch === event.epoch &&
  attempt.seq === event.seq

function stands(
  { created, state }: { created: string; state: { first_seq: number; last_seq: number } },
  event: FoundEvent,
): boolean {
  return (
    Math.floor(Date.parse(created) / 1000) === event.epoch &&
    event.seq >= state.first_seq &&
    event.seq <= state.last_seq
  )
}

async function whereIs(
  { mesh, topology }: Known,
  handler: PlacedHandler,
  event: FoundEvent,
): Promise<{ position: Position; isPulled: boolean }> {
  const stream = topology.streams.find(({ name }) => name === event.stream)
  if (handler.isOrdered && stream) return await orderedPosition(mesh, { stream, handler, event })
  const durable = durableFor(mesh, handler, event)
  const isPulled = [handler.lane, ...handler.durables].some((each) => each.num_waiting > 0)
  return { position: durable ? positionIn(durable, event) : { kind: 'nowhere' }, isPulled }
}

/** Pure. */
export function positionIn(durable: ConsumerInfo, { seq, storedAt }: Pick<FoundEvent, 'seq' | 'storedAt'>): Position {
  const { config, ack_floor: floor, delivered, num_pending: pending, num_ack_pending: unacked, created } = durable
  const { opt_start_time: from = config.deliver_policy === 'new' ? created : undefined } = config
  if (from !== undefined && Date.parse(storedAt) < Date.parse(from))
    return { kind: 'before', since: `it takes what came from ${from} on` }
  // One that was lost is made again behind its floor, so what is before that is settled.
  if (seq <= floor.stream_seq) return { kind: 'settled' }
  if (seq > delivered.stream_seq && pending > 0) {
    const between = seq - delivered.stream_seq - 1
    return { kind: 'ahead', before: Math.min(between, pending - 1) }
  }
  return unacked === 0 ? { kind: 'settled' } : { kind: 'delivered', floor: floor.stream_seq }
}

/** A durable's own floor does not tell: it is moved past what is purged. An ordered handler has its records instead. */
async function isAccounted({ mesh }: Known, handler: PlacedHandler, event: FoundEvent): Promise<boolean> {
  const durable = durableFor(mesh, handler, event)
  if (!durable) return true
  const bucket = mesh.names.bucket('MESH_CHECKPOINTS')
  const [stored] = await lastOf(mesh, `KV_${bucket}`, [`$KV.${bucket}.${durable.name}`])
  const checkpoint = stored && (jsonOf(stored) as { epoch: number; settled: number })
  return checkpoint !== undefined && (checkpoint.epoch > event.epoch || checkpoint.settled >= event.seq)
}

/** The letter of a range that aged out, with this event in it. */
function expiredIn({ index }: Known, { service, handler }: PlacedHandler, event: FoundEvent): HandlerFacts['expired'] {
  const { letters } = index.page({ kind: 'expired', service, handler }, { limit: 1000 })
  const found = letters.find(({ origin }) => {
    const [from = 0, to = 0] = origin.seq.split('-').map(Number)
    return origin.stream === event.stream && origin.epoch === event.epoch && from <= event.seq && event.seq <= to
  })
  return found && { letter: found.seq, range: found.origin.seq }
}
