const PREFIX = '$JS.ACK.'
const ZERO = 48
const DOT = 46
/** Where the dots are of the subject that is read just now, and its end: every delivery has one. */
const dots = new Uint32Array(16)

/** What the reply subject of a delivered message tells. Texts are cut out when they are asked for. */
export class AckInfo {
  /** Deliveries so far, this one included. Hand-backs count too, so it is no attempt counter. */
  readonly deliveryCount: number
  readonly streamSeq: number
  /** Counts the deliveries of its consumer, from 1 without a gap. */
  readonly consumerSeq: number
  /** When its stream stored it, unix us: a number does not hold all digits of the nanoseconds. */
  readonly storedUs: number
  /** Messages behind this one, as of its delivery. */
  readonly pending: number
  readonly #reply: string
  readonly #streamAt: number
  readonly #durableAt: number
  readonly #nanosAt: number

  /** `first`: which of the dots is before the stream's name. */
  constructor(reply: string, first: number) {
    const nanos = dots[first + 5]!
    const pending = dots[first + 6]!
    this.#reply = reply
    this.#streamAt = dots[first]! + 1
    this.#durableAt = dots[first + 1]! + 1
    this.#nanosAt = nanos + 1
    this.deliveryCount = numberBetween(reply, dots[first + 2]!, dots[first + 3]!)
    this.streamSeq = numberBetween(reply, dots[first + 3]!, dots[first + 4]!)
    this.consumerSeq = numberBetween(reply, dots[first + 4]!, nanos)
    const isWhole = !Number.isNaN(numberBetween(reply, pending - 4, pending))
    this.storedUs = isWhole ? numberBetween(reply, nanos, pending - 3) : Number.NaN
    this.pending = numberBetween(reply, pending, dots[first + 7]!)
  }

  get stream(): string {
    return this.#token(this.#streamAt)
  }

  get durable(): string {
    return this.#token(this.#durableAt)
  }

  /** Unix ns, as the server writes it. */
  get storedAt(): string {
    return this.#token(this.#nanosAt)
  }

  get publishedAt(): Date {
    return new Date(Math.floor(this.storedUs / 1000))
  }

  #token(from: number): string {
    return this.#reply.slice(from, this.#reply.indexOf('.', from))
  }
}

/** Reads `$JS.ACK.<stream>.<consumer>.…` and its second form with domain and account hash (ADR-15). */
export function parseAckSubject(reply: string): AckInfo | undefined {
  if (!reply.startsWith(PREFIX)) return undefined
  const tokens = findDots(reply) + 1
  const first = tokens === 9 ? 1 : tokens >= 11 ? 3 : undefined
  if (first === undefined) return undefined
  const info = new AckInfo(reply, first)
  const sum = info.deliveryCount + info.streamSeq + info.consumerSeq + info.storedUs + info.pending
  // What only looks like a delivery.
  return Number.isNaN(sum) ? undefined : info
}

/** How many there are, of those that may mean something. */
function findDots(subject: string): number {
  let count = 0
  for (let at = 0; at < subject.length && count < dots.length - 1; at++)
    if (subject.charCodeAt(at) === DOT) dots[count++] = at
  dots[count] = subject.length
  return count
}

/** The digits between two places; NaN where there are none, anything else, or more than a number holds. */
function numberBetween(subject: string, before: number, end: number): number {
  let value = 0
  for (let at = before + 1; at < end; at++) {
    const digit = subject.charCodeAt(at) - ZERO
    if (digit < 0 || digit > 9) return Number.NaN
    value = value * 10 + digit
  }
  return end > before + 1 && value <= Number.MAX_SAFE_INTEGER ? value : Number.NaN
}
