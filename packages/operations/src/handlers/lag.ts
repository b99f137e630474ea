import { getStored, type Mesh, type StoredMessage } from '@malha/mesh'
import type { ConsumerInfo, StreamInfo } from '@nats-io/jetstream'
import { millis } from '@nats-io/nats-core'

/** What a handler has before it. */
export type HandlerLag = {
  /** Not handled: pending and delivered together, and one at least where the stream has one. */
  readonly messages: number
  /** Not delivered yet. With three servers the one who is asked may not know of the newest. */
  readonly pending: number
  /** Delivered, and neither done nor dead. */
  readonly ackPending: number
  /** Of those, delivered more than once. */
  readonly redelivered: number
  /** Age of the oldest one that is not handled, ms; 0 without any. */
  readonly oldestMs: number
  /** Until that one ages out of its stream, ms; null without any, or where nothing ages out. */
  readonly headroomMs: number | null
}

type Durable = { stream: StreamInfo; durable: ConsumerInfo }

/** Of all durables of a handler; its oldest event is read from the stream's leader. Null where it has none. */
export async function lagOf(mesh: Mesh, durables: readonly Durable[], now: Date): Promise<HandlerLag | null> {
  if (durables.length === 0) return null
  const oldest = await Promise.all(durables.map((one) => oldestOf(mesh, one)))
  const sum = (of: (info: ConsumerInfo) => number): number =>
    durables.reduce((total, { durable }) => total + of(durable), 0)
  const pending = sum((info) => info.num_pending)
  const ackPending = sum((info) => info.num_ack_pending)
  const found = oldest.flatMap((event, index) => {
    if (!event) return []
    const maxAgeMs = millis(durables[index]!.stream.config.max_age)
    const ageMs = Math.max(0, now.getTime() - Date.parse(event.time))
    return [{ ageMs, headroomMs: maxAgeMs > 0 ? Math.max(0, maxAgeMs - ageMs) : Infinity }]
  })
  const headroomMs = Math.min(...found.map((one) => one.headroomMs))
  return {
    messages: Math.max(pending + ackPending, found.length),
    pending,
    ackPending,
    redelivered: sum((info) => info.num_redelivered),
    oldestMs: Math.max(0, ...found.map(({ ageMs }) => ageMs)),
    headroomMs: Number.isFinite(headroomMs) ? headroomMs : null,
  }
}

/** All up to its floor is handled; what a stream has behind its end, nobody has. */
async function oldestOf({ nats }: Mesh, { stream, durable }: Durable): Promise<StoredMessage | undefined> {
  const { config, ack_floor: floor } = durable
  const filters = config.filter_subjects ?? [config.filter_subject ?? '>']
  const seq = Math.max(floor.stream_seq + 1, stream.state.first_seq)
  if (seq > stream.state.last_seq) return undefined
  const found = await Promise.all(
    filters.map((filter) => getStored(nats, stream.config.name, { seq, next_by_subj: filter })),
  )
  return found.filter((one) => one !== undefined).sort((a, b) => a.seq - b.seq)[0]
}
