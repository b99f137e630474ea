import type { MsgHdrs } from '@nats-io/transport-node'

/** A message as the stream holds it: what it is, and what JetStream says of it. */
export type StoredMessage = {
  readonly seq: number
  readonly subject: string
  /** When JetStream stored it, nanoseconds since 1970, as digits: a number would lose the last of them. */
  readonly storedAtNs: string
  /** Every header, every value, names as sent. */
  readonly headers: Readonly<Record<string, readonly string[]>>
  readonly payload: Uint8Array
}

/** What the reply subject of a delivered message says. */
export type Delivery = {
  /** Sequence in the stream. */
  readonly seq: number
  /** Sequence in the consumer: one up with each delivery, so a step of two is a message that got lost on the way. */
  readonly consumerSeq: number
  readonly storedAtNs: string
  /** How many more messages the consumer has to deliver. */
  readonly pending: number
}

/**
 * Reads `$JS.ACK.<stream>.<consumer>.<delivered>.<seq>.<consumerSeq>.<ns>.<pending>`, or its second form with domain and
 * account in front (ADR-15). Undefined for any other subject.
 */
export function parseAckReply(reply: string | undefined): Delivery | undefined {
  const tokens = reply?.split('.') ?? []
  if (tokens[0] !== '$JS' || tokens[1] !== 'ACK') return undefined
  const at = tokens.length === 9 ? 5 : tokens.length >= 11 ? 7 : 0
  if (at === 0) return undefined
  const [delivered, seq, consumerSeq, storedAtNs, pending] = tokens.slice(at - 1, at + 4)
  const delivery = {
    seq: Number(seq),
    consumerSeq: Number(consumerSeq),
    storedAtNs: storedAtNs ?? '',
    pending: Number(pending),
  }
  // An empty token is no number, though it would read as 0.
  const areNumbers = [delivered, seq, consumerSeq, pending].every((digits) => /^\d{1,15}$/.test(digits ?? ''))
  return areNumbers && /^\d{10,19}$/.test(delivery.storedAtNs) ? delivery : undefined
}

/** Headers by name as the client reads them; none where it cannot: the event is archived without them. */
export function headersOf(read: () => MsgHdrs | undefined): StoredMessage['headers'] {
  try {
    const headers = read()
    return headers ? Object.fromEntries(headers.keys().map((name) => [name, headers.values(name)])) : {}
  } catch {
    return {}
  }
}
