/**
 * How often a message was in hand when its process ended, or never came back: a note on its handler's lane, written before
 * it is begun (docs/adr/0026-a-suspect-is-tried-alone.md). No consumer takes it. Only suspects have one.
 */
import type { Delivery } from '../consume/delivery.ts'
import { days } from '../durations.ts'
import { isObject, isWhole } from '../given.ts'
import { HEADER } from '../message/headers.ts'
import { getStored } from '../publish/stored-message.ts'
import type { Lane } from './lane.ts'

const PUBLISH_MS = 30_000
/** What came of a message that went away otherwise is not kept for ever. */
const KEPT = `${days(7) / 1000}s`

/** How many crashes its note tells of; 0 where there is none. */
export async function readCrashes(lane: Lane, delivery: Delivery): Promise<number> {
  const stored = await getStored(lane.nc, lane.names.lanes(lane.service), { last_by_subj: noteSubject(lane, delivery) })
  const said: unknown = stored && JSON.parse(stored.payload.toString())
  return isObject(said) && isWhole(said['crashes'], 0) ? said['crashes'] : 0
}

/** Resolves when it is stored; only then may the message be begun. */
export async function noteCrashes(lane: Lane, delivery: Delivery, crashes: number): Promise<void> {
  if (crashes === 0) {
    await forgetCrashes(lane, delivery)
    return
  }
  const note = { v: 1, crashes, at: new Date().toISOString() }
  await lane.pipeline.publish({
    subject: noteSubject(lane, delivery),
    payload: Buffer.from(JSON.stringify(note)),
    headers: [[HEADER.ttl, KEPT]],
    timeoutMs: PUBLISH_MS,
  })
}

export async function forgetCrashes(lane: Lane, delivery: Delivery): Promise<void> {
  await lane.nc.request(
    `$JS.API.STREAM.PURGE.${lane.names.lanes(lane.service)}`,
    JSON.stringify({ filter: noteSubject(lane, delivery) }),
  )
}

function noteSubject({ names, service, handler }: Lane, { source }: Delivery): string {
  return names.laneNote(service, handler, source)
}
