import { JetStreamApiError } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { type ReceivedHeaders, receivedHeaders } from '../message/envelope.ts'
import { decodeAttribute, HEADER, type HeaderPairs, readHeaderLines } from '../message/headers.ts'

/** A message read back from a stream. */
export type StoredMessage = {
  subject: string
  seq: number
  time: string
  headers: ReceivedHeaders
  pairs: HeaderPairs
  payload: Buffer
}

type GetReply = {
  message?: { subject: string; seq: number; time: string; hdrs?: string; data?: string }
  error?: { code: number; err_code?: number; description?: string }
}

/**
 * Reads one message from the stream's leader: by sequence, the last one of a subject, or the next one from a sequence or time on. `undefined` when there is none.
 * Needs permission to publish on `$JS.API.STREAM.MSG.GET.<stream>`.
 * @throws Error whose cause is the server's, a JetStreamApiError of status 503 while the stream has no leader
 */
export async function getStored(
  nc: NatsConnection,
  stream: string,
  query:
    | { seq: number; next_by_subj?: string }
    | { last_by_subj: string }
    | { start_time: string; next_by_subj: string },
): Promise<StoredMessage | undefined> {
  const answer = await nc.request(`$JS.API.STREAM.MSG.GET.${stream}`, JSON.stringify(query), { timeout: 5000 })
  const { message, error } = answer.json<GetReply>()
  if (error?.code === 404) return undefined
  if (!message)
    throw new Error(`stream ${stream} did not give a message back: ${error?.description ?? 'an empty answer'}`, {
      cause: error && new JetStreamApiError({ err_code: 0, description: '', ...error }),
    })
  const pairs = readHeaderLines(
    Buffer.from(message.hdrs ?? '', 'base64')
      .toString('utf8')
      .split('\r\n')
      .slice(1),
  )
  return {
    subject: message.subject,
    seq: message.seq,
    time: message.time,
    headers: receivedHeaders(pairs.map(([name, value]) => [name, [value]])),
    pairs,
    payload: Buffer.from(message.data ?? '', 'base64'),
  }
}

/** The first message at or after `seq` that fits any of the filters. Needs the same permission. */
export async function nextStored(
  nc: NatsConnection,
  stream: string,
  { seq, filters }: { seq: number; filters: readonly string[] },
): Promise<StoredMessage | undefined> {
  const found = await Promise.all(filters.map((filter) => getStored(nc, stream, { seq, next_by_subj: filter })))
  return found.filter((one) => one !== undefined).sort((a, b) => a.seq - b.seq)[0]
}

/**
 * Whether a subject has a message in a stream. Any replica answers, so it may not know yet of what was written just now.
 * Needs permission to publish on `$JS.API.DIRECT.GET.<stream>.<subject>`: so a user can be given the right to ask for some
 * subjects only.
 */
export async function isStored(nc: NatsConnection, stream: string, subject: string): Promise<boolean> {
  const { headers } = await nc.request(`$JS.API.DIRECT.GET.${stream}.${subject}`, undefined, { timeout: 5000 })
  if (headers?.code === 404) return false
  if (headers?.code === 0) return true
  throw new Error(
    `stream ${stream} did not say whether it has ${subject}: ${headers?.description ?? 'an empty answer'}`,
  )
}

/** The `ce-id` of what is stored. */
export const idOf = ({ headers }: StoredMessage): string => decodeAttribute(headers[HEADER.id] ?? '')
