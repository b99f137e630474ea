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
  /** The same in us. */
  storedUs: number
  publishedAt: Date
  /** Messages behind this one, as of its delivery. */
  pending: number
}

const PREFIX = '$JS.ACK.'
const ZERO = 48
/** As a digit. */
const DOT = -2

/**
 * Reads `$JS.ACK.<stream>.<consumer>.…` and its second form with domain and account hash (ADR-15). Read in place, token by
 * token: every delivery has one.
 */
export function parseAckSubject(reply: string): AckInfo | undefined {
  if (!reply.startsWith(PREFIX)) return undefined
  const tokens = tokensOf(reply)
  const from = tokens === 9 ? PREFIX.length : tokens >= 11 ? after(reply, after(reply, PREFIX.length)) : -1
  if (from < 0) return undefined
  const durable = after(reply, from)
  const count = after(reply, durable)
  const streamSeq = after(reply, count)
  const consumerSeq = after(reply, streamSeq)
  const nanos = after(reply, consumerSeq)
  const pending = after(reply, nanos)
  // A number does not hold all digits of the nanoseconds.
  const storedUs = numberAt(reply, nanos, pending - 4)
  const [deliveryCount, streamSeqNumber] = [numberAt(reply, count), numberAt(reply, streamSeq)]
  const [consumerSeqNumber, pendingNumber] = [numberAt(reply, consumerSeq), numberAt(reply, pending)]
  const sum = deliveryCount + streamSeqNumber + consumerSeqNumber + pendingNumber
  // What only looks like a delivery.
  if (Number.isNaN(sum + storedUs + numberAt(reply, pending - 4, pending - 1))) return undefined
  return {
    stream: reply.slice(from, durable - 1),
    durable: reply.slice(durable, count - 1),
    deliveryCount,
    streamSeq: streamSeqNumber,
    consumerSeq: consumerSeqNumber,
    storedAt: reply.slice(nanos, pending - 1),
    storedUs,
    publishedAt: new Date(Math.floor(storedUs / 1000)),
    pending: pendingNumber,
  }
}

function tokensOf(subject: string): number {
  let count = 1
  for (let at = subject.indexOf('.'); at >= 0; at = subject.indexOf('.', at + 1)) count++
  return count
}

/** Where the next token begins. */
const after = (subject: string, at: number): number => subject.indexOf('.', at) + 1

/** The digits from there to the end of the token; NaN where it has none, anything else, or more than a number holds. */
function numberAt(subject: string, from: number, end = subject.length): number {
  let value = 0
  let at = from
  for (; at < end; at++) {
    const digit = subject.charCodeAt(at) - ZERO
    if (digit === DOT) break
    if (digit < 0 || digit > 9) return Number.NaN
    value = value * 10 + digit
  }
  return at > from && value <= Number.MAX_SAFE_INTEGER ? value : Number.NaN
}
