/**
 * A handler's lane: where a message for this handler alone waits and travels (docs/reference/wire.md).
 * A copy waits on a subject of its own as a schedule; the server moves it to the lane's target when it is due.
 */
import type { NatsConnection } from '@nats-io/transport-node'
import type { Delivery } from '../consume/delivery.ts'
import { HEADER, headerBytes } from '../message/headers.ts'
import { traceparentOf } from '../observe/spans.ts'
import type { PublishPipeline } from '../publish/pipeline.ts'
import { ERR_CODE, PublishRefused } from '../publish/pub-ack.ts'
import { getStored } from '../publish/stored-message.ts'
import type { Names } from '../topology/names.ts'
import { LANE_HEADER, ownHeaders } from './lane-headers.ts'

export type Lane = {
  nc: NatsConnection
  pipeline: PublishPipeline
  names: Names
  service: string
  handler: string
}

const PUBLISH_MS = 30_000
const RELEASE_PARALLEL = 32

/** Stores a copy that comes back after `delayMs`. Resolves when it is stored; only then may the delivery be acked. */
export async function sendToLane(lane: Lane, delivery: Delivery, delayMs: number): Promise<void> {
  const { source } = delivery
  const hop = delivery.hop + 1
  const previous = delivery.previousAttempt && traceparentOf(delivery.previousAttempt)
  await lane.pipeline.publish({
    subject: scheduleSubject(lane, delivery),
    payload: delivery.payload,
    timeoutMs: PUBLISH_MS,
    headers: [
      ...ownHeaders(delivery.headers),
      [LANE_HEADER.format, '1'],
      [LANE_HEADER.stream, source.stream],
      [LANE_HEADER.epoch, String(source.epoch)],
      [LANE_HEADER.seq, String(source.seq)],
      [LANE_HEADER.subject, source.subject],
      [LANE_HEADER.publishedAt, source.publishedAt.toISOString()],
      [LANE_HEADER.attempts, String(delivery.attempts)],
      [LANE_HEADER.failures, String(delivery.failures)],
      [LANE_HEADER.hop, String(hop)],
      [LANE_HEADER.firstFailureAt, String(delivery.firstFailureAt ?? Date.now())],
      [LANE_HEADER.attemptTimes, delivery.attemptTimes.join(' ')],
      ...(previous ? [[LANE_HEADER.previousAttempt, previous] as const] : []),
      ...scheduleHeaders(lane, delayMs),
      // One store a hop: a redelivered original whose copy is stored already adds no second one.
      [
        HEADER.msgId,
        `${lane.names.durable(lane.service, lane.handler)}.${source.stream}.${source.epoch}.${source.seq}.${hop}`,
      ],
    ],
  })
}

/** What the lane's own headers may take, bytes. */
const LANE_HEADERS_BYTES = 4096

/** Whether the server takes a copy: an event of nearly `max_payload` leaves no room for the lane's headers. */
export function fitsLane(lane: Lane, { headers, payload }: Delivery): boolean {
  return (
    payload.length + headerBytes(ownHeaders(headers)) + LANE_HEADERS_BYTES <= (lane.nc.info?.max_payload ?? Infinity)
  )
}

/** Takes back a copy that is not needed: its original was delivered again and succeeded. */
export async function dropFromLane(lane: Lane, delivery: Delivery): Promise<void> {
  await lane.nc.request(
    `$JS.API.STREAM.PURGE.${lane.names.lanes(lane.service)}`,
    JSON.stringify({ filter: scheduleSubject(lane, delivery) }),
  )
}

/**
 * Makes waiting copies due, the first at once, the rest spread over `rampMs`. Safe from several instances at once: a copy
 * that has moved meanwhile is left alone. Returns how many were made due.
 */
export async function releaseLane(lane: Lane, options: { rampMs: number; most?: number }): Promise<number> {
  const subjects = (await waitingSubjects(lane)).slice(0, options.most)
  let released = 0
  for (let from = 0; from < subjects.length; from += RELEASE_PARALLEL) {
    const some = subjects.slice(from, from + RELEASE_PARALLEL)
    const done = await Promise.all(
      some.map((subject, index) => makeDue(lane, subject, (options.rampMs * (from + index)) / subjects.length)),
    )
    released += done.filter(Boolean).length
  }
  return released
}

async function makeDue(lane: Lane, subject: string, delayMs: number): Promise<boolean> {
  const waiting = await getStored(lane.nc, lane.names.lanes(lane.service), { last_by_subj: subject })
  if (!waiting) return false
  const kept = Object.entries(waiting.headers).filter(([name]) => !name.startsWith('nats-'))
  try {
    await lane.pipeline.publish({
      subject,
      payload: waiting.payload,
      timeoutMs: PUBLISH_MS,
      headers: [...kept, ...scheduleHeaders(lane, delayMs), [HEADER.expectedLastSubjectSequence, String(waiting.seq)]],
    })
    return true
  } catch (error) {
    if (error instanceof PublishRefused && error.errCode === ERR_CODE.wrongLastSequence) return false
    throw error
  }
}

async function waitingSubjects(lane: Lane): Promise<string[]> {
  const filter = `${lane.names.subject(`lane.${lane.service}.${lane.handler}`)}.at.>`
  const answer = await lane.nc.request(
    `$JS.API.STREAM.INFO.${lane.names.lanes(lane.service)}`,
    JSON.stringify({ subjects_filter: filter }),
  )
  const info = answer.json<{ state?: { subjects?: Record<string, number> } }>()
  return Object.keys(info.state?.subjects ?? {})
}

function scheduleSubject(lane: Lane, { source }: Delivery): string {
  return lane.names.laneSchedule(lane.service, lane.handler, source.stream, source.epoch, source.seq)
}

/** ADR-51: `@at` with an RFC 3339 time; the server looks every 250 ms. */
function scheduleHeaders(lane: Lane, delayMs: number): [string, string][] {
  return [
    [HEADER.schedule, `@at ${new Date(Date.now() + delayMs).toISOString()}`],
    [HEADER.scheduleTarget, lane.names.laneTarget(lane.service, lane.handler)],
  ]
}
