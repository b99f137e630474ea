/**
 * A handler's lane: where a message for this handler alone waits and travels (docs/reference/wire.md).
 * A copy waits on a subject of its own as a schedule; the server moves it to the lane's target when it is due.
 */
import type { NatsConnection } from '@nats-io/transport-node'
import type { Delivery } from '../consume/delivery.ts'
import type { StreamIdentity } from '../consume/stream-identity.ts'
import type { ServerClock } from '../lifecycle/server-clock.ts'
import { HEADER, headerBytes, MOST_HEADER_BYTES } from '../message/headers.ts'
import { traceparentOf } from '../observe/spans.ts'
import type { PublishPipeline } from '../publish/pipeline.ts'
import { ERR_CODE, PublishRefused } from '../publish/pub-ack.ts'
import { getStored } from '../read/stored-message.ts'
import { runHeaders } from '../run/run-headers.ts'
import type { Names } from '../topology/names.ts'
import { LANE_HEADER, ownHeaders, timesText } from './lane-headers.ts'

export type Lane = {
  nc: NatsConnection
  pipeline: PublishPipeline
  names: Names
  service: string
  handler: string
  /** When what waits is due goes by it. */
  clock: Pick<ServerClock, 'now' | 'estimate'>
  /** Of the event stream: copies are named by it. */
  identity: Pick<StreamIdentity, 'confirm'>
}

const PUBLISH_MS = 30_000
const LIST_MS = 10_000
const RELEASE_PARALLEL = 32

/** Stores a copy that comes back after `delayMs`. Resolves when it is stored; only then may the delivery be acked. */
export async function sendToLane(lane: Lane, delivery: Delivery, delayMs: number): Promise<void> {
  await lane.identity.confirm(delivery)
  const { source } = delivery
  const hop = delivery.hop + 1
  const now = await serverNow(lane)
  const failingMs = performance.now() - (delivery.failingSince ?? performance.now())
  const previous = delivery.previousAttempt && traceparentOf(delivery.previousAttempt)
  await lane.pipeline.publish({
    subject: scheduleSubject(lane, delivery),
    payload: delivery.payload,
    timeoutMs: PUBLISH_MS,
    headers: [
      ...ownHeaders(delivery.pairs),
      [LANE_HEADER.format, '1'],
      [LANE_HEADER.stream, source.stream],
      [LANE_HEADER.epoch, String(source.epoch)],
      [LANE_HEADER.seq, String(source.seq)],
      [LANE_HEADER.subject, source.subject],
      [LANE_HEADER.publishedAt, source.publishedAt.toISOString()],
      [LANE_HEADER.storedAt, source.storedAt],
      [LANE_HEADER.attempts, String(delivery.attempts)],
      [LANE_HEADER.failures, String(delivery.failures)],
      [LANE_HEADER.hop, String(hop)],
      [LANE_HEADER.firstFailureAt, String(Math.round(now - failingMs))],
      [LANE_HEADER.attemptTimes, timesText(delivery.attemptTimes)],
      ...runHeaders(delivery.run),
      ...(delivery.crashes > 0 ? [[LANE_HEADER.crashes, String(delivery.crashes)] as const] : []),
      ...(previous ? [[LANE_HEADER.previousAttempt, previous] as const] : []),
      ...scheduleHeaders(lane, now + delayMs),
      // One store a hop: a redelivered original whose copy is stored already adds no second one.
      [HEADER.msgId, `${scheduleSubject(lane, delivery)}.${hop}`],
    ],
  })
}

/** What the lane's own headers may take, bytes. */
const LANE_HEADERS_BYTES = 4096

/** Whether the server takes a copy: an event of nearly `max_payload` leaves no room for the lane's headers. */
export function fitsLane(lane: Lane, { pairs, payload }: Delivery): boolean {
  const headers = headerBytes(ownHeaders(pairs)) + LANE_HEADERS_BYTES
  return headers <= MOST_HEADER_BYTES && payload.length + headers <= (lane.nc.info?.max_payload ?? Infinity)
}

/** Takes back a copy that is not needed: its original was delivered again and succeeded. */
export async function dropFromLane(lane: Lane, delivery: Delivery): Promise<void> {
  await lane.identity.confirm(delivery)
  await lane.nc.request(
    `$JS.API.STREAM.PURGE.${lane.names.lanes(lane.service)}`,
    JSON.stringify({ filter: scheduleSubject(lane, delivery) }),
  )
}

export type ReleaseOptions = {
  /** The first goes at once, the rest over this time, ms. */
  rampMs: number
  /** How many at most. @default all */
  most?: number
  /** Asked before each batch: the other side may be away again. */
  shouldGoOn: () => boolean
}

/**
 * Makes waiting copies due. Safe from several instances at once: a copy that has moved meanwhile is left alone. Returns
 * how many were made due.
 */
export async function releaseLane(
  lane: Lane,
  { rampMs, most = Infinity, shouldGoOn }: ReleaseOptions,
): Promise<number> {
  let released = 0
  const subjects = most === 1 ? await firstWaiting(lane) : await subjectsOnLane(lane, waitingFilter(lane))
  for (let from = 0; from < subjects.length && released < most && shouldGoOn(); from += RELEASE_PARALLEL) {
    const some = subjects.slice(from, from + RELEASE_PARALLEL)
    const delayOf = (index: number): number => (rampMs * (from + index)) / subjects.length
    const done = await Promise.all(some.map((subject, index) => makeDue(lane, subject, delayOf(index))))
    released += done.filter(Boolean).length
  }
  return released
}

async function makeDue(lane: Lane, subject: string, delayMs: number): Promise<boolean> {
  const waiting = await getStored(lane.nc, lane.names.lanes(lane.service), { last_by_subj: subject })
  if (!waiting) return false
  const kept = waiting.pairs.filter(([name]) => !/^nats-/i.test(name))
  const expected = [HEADER.expectedLastSubjectSequence, String(waiting.seq)] as const
  const headers = [...kept, ...scheduleHeaders(lane, (await serverNow(lane)) + delayMs), expected]
  try {
    await lane.pipeline.publish({ subject, payload: waiting.payload, headers, timeoutMs: PUBLISH_MS })
    return true
  } catch (error) {
    if (error instanceof PublishRefused && error.errCode === ERR_CODE.wrongLastSequence) return false
    throw error
  }
}

async function firstWaiting(lane: Lane): Promise<string[]> {
  const first = await getStored(lane.nc, lane.names.lanes(lane.service), { seq: 1, next_by_subj: waitingFilter(lane) })
  return first ? [first.subject] : []
}

type SubjectsPage = {
  total?: number
  state?: { subjects?: Record<string, number> }
  error?: { description?: string }
}

/** Subjects of the service's lanes on which there is something. The server tells 100,000 at a time. */
export async function subjectsOnLane(lane: Pick<Lane, 'nc' | 'names' | 'service'>, filter: string): Promise<string[]> {
  const subjects: string[] = []
  for (;;) {
    const query = JSON.stringify({ subjects_filter: filter, offset: subjects.length })
    const api = `$JS.API.STREAM.INFO.${lane.names.lanes(lane.service)}`
    const page = (await lane.nc.request(api, query, { timeout: LIST_MS })).json<SubjectsPage>()
    if (page.error)
      throw new Error(`what is on the lanes could not be listed: ${page.error.description ?? 'no reason given'}`)
    const found = Object.keys(page.state?.subjects ?? {})
    subjects.push(...found)
    if (found.length === 0 || subjects.length >= (page.total ?? 0)) return subjects
  }
}

const waitingFilter = (lane: Lane): string => `${lane.names.laneSchedules(lane.service, lane.handler)}>`

function scheduleSubject(lane: Lane, { source, run }: Delivery): string {
  return lane.names.laneSchedule(lane.service, lane.handler, source, run?.run)
}

/** A wait that is a little wrong is better than none. */
const serverNow = (lane: Lane): Promise<number> => lane.clock.now().catch(() => lane.clock.estimate())

/** ADR-51: `@at` with an RFC 3339 time; the server looks every 250 ms. */
function scheduleHeaders(lane: Lane, dueMs: number): [string, string][] {
  return [
    [HEADER.schedule, `@at ${new Date(dueMs).toISOString()}`],
    [HEADER.scheduleTarget, lane.names.laneTarget(lane.service, lane.handler)],
  ]
}
