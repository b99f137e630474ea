/**
 * What was stored in a stream while it was copied.
 *
 * The server copies a stream as it stood when that began, and goes on removing from it (nats-server 2.15.1). Where a message removes one
 * before it, a new value of a key, or what has come due its schedule, the one is not in the copy any longer and the other not yet: the key, the retry
 * would be nowhere. So all that came is read until there is no more of it, and is stored again behind the copy.
 */
import type { JetStreamManager, StoredMsg, StreamConfig } from '@nats-io/jetstream'
import { headers, type MsgHdrs, type NatsConnection } from '@nats-io/nats-core'

export type LaterMessage = {
  readonly subject: string
  readonly headers: readonly (readonly [string, string])[]
  /** base64 */
  readonly payload: string
  /** When it was stored, ms of unix time. */
  readonly storedMs: number
}

type Send = { subject: string; headers: MsgHdrs; payload: Uint8Array }

const AT_ONCE = 128
/** Each is shorter than the one before, unless it is written into faster than it can be read. */
const ROUNDS = 200
const ANSWER_MS = 15_000

/** Whether a message in a stream of this configuration can remove one before it. */
export const replaces = (config: StreamConfig): boolean =>
  config.allow_msg_schedules || (config.max_msgs_per_subject > 0 && !config.discard_new_per_subject)

/**
 * Reads what was stored behind a sequence, until nothing was replaced while it was read: then whatever was missed before that was
 * replaced by one that was read. Needs `$JS.API.STREAM.INFO.<stream>` and `$JS.API.STREAM.MSG.GET.<stream>`: no replica that lags
 * may answer.
 * @throws Error when it is written into faster than it can be read
 */
export async function readLater(jsm: JetStreamManager, stream: string, after: number): Promise<LaterMessage[]> {
  const found: LaterMessage[] = []
  let from = after + 1
  for (let round = 0; round < ROUNDS; round++) {
    const { last_seq: last } = (await jsm.streams.info(stream)).state
    let missing = 0
    for (; from <= last; from += AT_ONCE) {
      const sequences = Array.from({ length: Math.min(AT_ONCE, last + 1 - from) }, (_, n) => from + n)
      const messages = await Promise.all(sequences.map((seq) => jsm.streams.getMessage(stream, { seq })))
      for (const message of messages)
        if (message) found.push(kept(message))
        else missing += 1
    }
    if (missing === 0) return found
    from = last + 1
  }
  throw new Error('it is written into faster than it can be read')
}

const kept = ({ subject, header, data, time }: StoredMsg): LaterMessage => ({
  subject,
  headers: header.keys().flatMap((name) => header.values(name).map((value) => [name, value] as const)),
  payload: Buffer.from(data).toString('base64'),
  storedMs: time.getTime(),
})

/** Stores it again, in order. @throws Error with what the server said */
export async function storeLater(nats: NatsConnection, all: readonly LaterMessage[]): Promise<void> {
  for (const one of all) {
    const sent = again(one)
    if (!sent) continue
    const answer = await nats.request(sent.subject, sent.payload, { headers: sent.headers, timeout: ANSWER_MS })
    const { error } = answer.json<{ error?: { code: number; description: string } }>()
    if (error) throw new Error(`${sent.subject}: ${error.code} ${error.description}`)
  }
}

/** Undefined for one that a schedule which is in the copy makes again. */
function again({ subject, headers: pairs, payload, storedMs }: LaterMessage): Send | undefined {
  const said = new Map(pairs.map(([name, value]) => [name.toLowerCase(), value]))
  const scheduler = said.get('nats-scheduler')
  if (scheduler !== undefined && said.get('nats-schedule-next') !== 'purge') return undefined
  const head = headers()
  for (const [name, value] of pairs) if (!LEFT_OUT.test(name)) head.append(name, value)
  const ttl = /^(\d+)s?$/.exec(said.get('nats-ttl') ?? '')?.[1]
  if (ttl !== undefined)
    head.set('Nats-TTL', `${Math.max(1, Math.ceil((storedMs - Date.now()) / 1000) + Number(ttl))}s`)
  // Who scheduled a message only the server can write on it: so it is scheduled again, and due at once.
  if (scheduler !== undefined) {
    head.set('Nats-Schedule', `@at ${new Date(storedMs).toISOString()}`)
    head.set('Nats-Schedule-Target', subject)
  }
  return { subject: scheduler ?? subject, headers: head, payload: Buffer.from(payload, 'base64') }
}

/** Of the moment at which it was stored. */
const LEFT_OUT = /^nats-(expected-|scheduler$|schedule-next$|msg-id$)/i
