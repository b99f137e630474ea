/** What a pull loop asks a server for, and what the server says of that in place of a message (ADR-13 of NATS). */
import type { Msg } from '@nats-io/transport-node'

export type PullRequest = {
  batch: number
  /** Of all that comes, at most; undefined: whatever one message has. */
  maxBytes: number | undefined
  expiresMs: number
  heartbeatMs: number
}

/** What is published on `$JS.API.CONSUMER.MSG.NEXT.<stream>.<durable>`. */
export const pullRequest = ({ batch, maxBytes, expiresMs, heartbeatMs }: PullRequest): string =>
  JSON.stringify({
    batch,
    max_bytes: maxBytes,
    expires: Math.floor(expiresMs) * 1e6,
    // The server takes none of more than half of a request.
    idle_heartbeat: Math.min(heartbeatMs, Math.floor(expiresMs / 2)) * 1e6,
  })

export type PullStatus =
  /** It looks after the request, or all of it came: messages were counted as they did. */
  | { kind: 'alive' }
  /** The next message is beyond the bytes asked for. `pending`: messages that the request did not get. */
  | { kind: 'cut'; pending: number; pendingBytes: number }
  /** Its time is over. `pending` as above; undefined where the server does not tell. */
  | { kind: 'over'; pending: number | undefined }
  /** It is gone, and all others may be: the durable is not as it was, nobody leads it, or another server does. */
  | { kind: 'gone'; why: string; of: 'durable' | 'nobody' | 'request' }

/** Reads what a server says of a request (nats-server 2.14, consumer.go). */
export function pullStatus({ headers }: Msg): PullStatus {
  const code = headers?.code ?? 0
  const why = headers?.description ?? ''
  const pending = headers?.get('Nats-Pending-Messages')
  if (code === 100 || /batch completed/i.test(why)) return { kind: 'alive' }
  if (/exceeds maxbytes/i.test(why))
    return { kind: 'cut', pending: Number(pending), pendingBytes: Number(headers?.get('Nats-Pending-Bytes')) }
  if (code === 404 || code === 408) return { kind: 'over', pending: pending ? Number(pending) : undefined }
  const of = /deleted|exceeded max/i.test(why) ? 'durable' : code === 503 ? 'nobody' : 'request'
  return { kind: 'gone', why, of }
}
