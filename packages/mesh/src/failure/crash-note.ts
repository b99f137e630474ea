/**
 * How often a message was in hand when its process ended, or never came back: a note on its handler's lane, written before
 * it is begun (docs/adr/0026-a-suspect-is-tried-alone.md). No consumer takes it. Only suspects have one.
 */
import { days } from '../durations.ts'
import { isObject, isWhole } from '../given.ts'
import { HEADER } from '../message/headers.ts'
import { getStored } from '../read/stored-message.ts'
import type { MessagePlace } from '../topology/names.ts'
import type { Lane } from './lane.ts'

/** Which event it is. */
type About = { readonly source: MessagePlace }

const PUBLISH_MS = 30_000
/** What came of a message that went away otherwise is not kept for ever. */
const KEPT = `${days(7) / 1000}s`

/** How many crashes its note tells of; 0 where there is none. */
export async function readCrashes(lane: Lane, message: About): Promise<number> {
  const stored = await getStored(lane.nc, lane.names.lanes(lane.service), { last_by_subj: noteSubject(lane, message) })
  const said: unknown = stored && JSON.parse(stored.payload.toString())
  return isObject(said) && isWhole(said['crashes'], 0) ? said['crashes'] : 0
}

/** Resolves when it is stored; only then may the message be begun. */
export async function noteCrashes(lane: Lane, message: About, crashes: number): Promise<void> {
  if (crashes === 0) {
    await forgetCrashes(lane, message)
    return
  }
  const note = { v: 1, crashes, at: new Date().toISOString() }
  await lane.pipeline.publish({
    subject: noteSubject(lane, message),
    payload: Buffer.from(JSON.stringify(note)),
    headers: [[HEADER.ttl, KEPT]],
    timeoutMs: PUBLISH_MS,
  })
}

export async function forgetCrashes(lane: Lane, message: About): Promise<void> {
  await lane.nc.request(
    `$JS.API.STREAM.PURGE.${lane.names.lanes(lane.service)}`,
    JSON.stringify({ filter: noteSubject(lane, message) }),
  )
}

function noteSubject({ names, service, handler }: Lane, { source }: About): string {
  return names.laneNote(service, handler, source)
}
