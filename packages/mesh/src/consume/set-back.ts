import { setTimeout as sleep } from 'node:timers/promises'
import type { NatsConnection } from '@nats-io/transport-node'
import type { LastSetBack, Seen } from '../topology/checkpoint.ts'
import { consumerFloor, streamState } from '../topology/stream-state.ts'
import { nanosOf } from './ordered/stored-delivery.ts'
import { truthUpTo } from './ordered/lost-end.ts'

/** What is logged of a durable that was set back, and of one for which that is no help. */
export const SET_BACK =
  'the stream lost its end, which the durable had delivered; set back, so that it misses nothing new'
export const IN_VAIN =
  'the durable is past the end of its stream again: its replicas hold different events; new ones may be missed until they agree'

export type DurableEnd = {
  /** The highest sequence it delivered, by its own account. */
  delivered: number
  /** An event it delivered, lately. */
  seen: Seen | undefined
  /** All up to here is accounted for. */
  settled: number
}

type Durable = { nc: NatsConnection; stream: string; epoch: number; filters: readonly string[] }

/**
 * Up to where a durable's account is of the events its stream has; undefined when all of it is. After a loss of power a
 * replicated durable may stand past the end of its stream: new events get numbers that it counts as delivered (nats-server
 * issue 5412; a single server of 2.14 and later sets its durables back by itself).
 */
export async function trueEnd(
  { nc, stream, epoch, filters }: Durable,
  { delivered, seen, settled }: DurableEnd,
): Promise<number | undefined> {
  const known = { read: delivered, seen: seen?.seq ?? 0, seenAt: seen?.at ?? '' }
  const ends = await Promise.all(filters.map((filter) => truthUpTo({ nc, stream, epoch, filter }, known)))
  const end = Math.min(...ends.map((one) => one ?? Infinity))
  // What was stored since the stream lost its end may be in it already: better repeated than passed over.
  return end < delivered ? Math.min(end, seen?.seq ?? settled) : undefined
}

/** Why the server refuses; else what to write down of it. */
export type SetBackAnswer = { refusal?: string; done?: LastSetBack }

const REQUEST_MS = 5000
/** A leader that was just elected may not know yet how long its stream is. */
const SECOND_LOOK_MS = 1000

/**
 * The same for a durable on the lanes, told by numbers alone. What a lane holds is not done yet, so all of it is delivered
 * again.
 * @returns whether it was set back
 * @throws Error when the server refuses that
 */
export async function setLaneBack(
  nc: NatsConnection,
  { stream, durable }: { stream: string; durable: string },
): Promise<boolean> {
  const isPast = async (): Promise<boolean> => {
    const { delivered } = await consumerFloor(nc, stream, durable)
    return delivered > (await streamState(nc, stream)).lastSeq
  }
  if (!(await isPast())) return false
  await sleep(SECOND_LOOK_MS)
  if (!(await isPast())) return false
  const { refusal } = await setBack(nc, { stream, durable, seq: 1 })
  if (refusal !== undefined)
    throw new Error(
      `${durable} stands past the end of ${stream} and cannot be set back (${refusal}); delete it, and start again`,
    )
  return true
}

/**
 * Has a durable deliver from a sequence on, lower than where it is; what it delivered and nobody acked counts as not
 * delivered. Needs `$JS.API.CONSUMER.RESET.<stream>.<durable>`.
 */
export async function setBack(
  nc: NatsConnection,
  { stream, durable, seq }: { stream: string; durable: string; seq: number },
): Promise<SetBackAnswer> {
  const subject = `$JS.API.CONSUMER.RESET.${stream}.${durable}`
  const answer = await nc.request(subject, JSON.stringify({ seq }), { timeout: REQUEST_MS })
  const { error, ts } = answer.json<{ error?: { description?: string }; ts?: string }>()
  if (error) return { refusal: error.description ?? 'no reason given' }
  return ts === undefined ? {} : { done: { at: nanosOf(ts), from: seq } }
}
