/** What the reply subject of a delivered message tells. */
export type AckInfo = {
  stream: string
  durable: string
  /** Deliveries so far, this one included. Hand-backs count too, so it is no attempt counter. */
  deliveryCount: number
  streamSeq: number
  /** Counts the deliveries of its consumer, from 1 without a gap. */
  consumerSeq: number
  /** Unix ns, as the server writes it. */
  storedAt: string
  publishedAt: Date
  /** Messages behind this one, as of its delivery. */
  pending: number
}

/** Reads `$JS.ACK.<stream>.<consumer>.…` and its second form with domain and account hash (ADR-15). */
export function parseAckSubject(reply: string): AckInfo | undefined {
  const tokens = reply.split('.')
  if (tokens[0] !== '$JS' || tokens[1] !== 'ACK') return undefined
  const from = tokens.length === 9 ? 2 : tokens.length >= 11 ? 4 : -1
  if (from < 0) return undefined
  const [stream, durable, deliveryCount, streamSeq, consumerSeq, nanos, pending] = tokens.slice(from)
  return {
    stream: stream!,
    durable: durable!,
    deliveryCount: Number(deliveryCount),
    streamSeq: Number(streamSeq),
    consumerSeq: Number(consumerSeq),
    storedAt: nanos!,
    publishedAt: new Date(Number(nanos!.slice(0, -6))),
    pending: Number(pending),
  }
}
