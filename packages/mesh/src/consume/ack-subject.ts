const PREFIX = '$JS.ACK.'
const ZERO = 48
/** As a digit. */
const DOT = -2

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
  readonly #head: Head
  readonly #nanosAt: number

  /** Of the subject whose numbers were read last. */
  constructor(reply: string, head: Head) {
    this.#reply = reply
    this.#head = head
    this.deliveryCount = numbers[0]!
    this.streamSeq = numbers[1]!
    this.consumerSeq = numbers[2]!
    this.storedUs = numbers[3]!
    this.pending = numbers[4]!
    this.#nanosAt = nanosAt
  }

  get stream(): string {
    return this.#token(this.#head.streamAt)
  }

  get durable(): string {
    return this.#token(this.#head.durableAt)
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

/** What the subjects of one consumer begin with, and where the names stand in it. */
type Head = { text: string; streamAt: number; durableAt: number; endsWithNumbers: boolean }

/** Reads `$JS.ACK.<stream>.<consumer>.…` and its second form with domain and account hash (ADR-15), of one consumer. */
export class AckReader {
  #head: Head | undefined

  /** Undefined where it is none. */
  read(reply: string): AckInfo | undefined {
    // Each delivery has it looked at, and `startsWith` takes twice as long (Node 24).
    const isKnown = this.#head !== undefined && reply.lastIndexOf(this.#head.text, 0) === 0
    const known = isKnown ? infoWith(reply, this.#head!) : undefined
    if (known) return known
    const head = headOf(reply)
    const info = head && infoWith(reply, head)
    if (info) this.#head = head
    return info
  }
}

/** The same of a single one. */
export const parseAckSubject = (reply: string): AckInfo | undefined => new AckReader().read(reply)

function headOf(reply: string): Head | undefined {
  if (!reply.startsWith(PREFIX)) return undefined
  const dots: number[] = []
  for (let at = reply.indexOf('.'); at >= 0; at = reply.indexOf('.', at + 1)) dots.push(at)
  const before = dots.length === 8 ? 1 : dots.length >= 10 ? 3 : undefined
  if (before === undefined) return undefined
  const [stream = 0, durable = 0, numbers = 0] = dots.slice(before)
  return {
    text: reply.slice(0, numbers + 1),
    streamAt: stream + 1,
    durableAt: durable + 1,
    endsWithNumbers: before === 1,
  }
}

/** Undefined for what only looks like a delivery. */
const infoWith = (reply: string, head: Head): AckInfo | undefined =>
  readNumbers(reply, head) ? new AckInfo(reply, head) : undefined

/** Deliveries, sequence, consumer's sequence, time and pending of the subject that is read just now: every delivery has them. */
const numbers = new Float64Array(5)
const TIME = 3
let nanosAt = 0

/** False where one of them has no digits, anything else, or more than a number holds. */
function readNumbers(reply: string, head: Head): boolean {
  let at = head.text.length
  for (let index = 0; index < numbers.length; index++) {
    const from = at
    let value = 0
    // As it was one, two and three digits ago.
    let one = 0
    let two = 0
    let three = 0
    for (; at < reply.length; at++) {
      const digit = reply.charCodeAt(at) - ZERO
      if (digit === DOT) break
      if (digit < 0 || digit > 9) return false
      three = two
      two = one
      one = value
      value = value * 10 + digit
    }
    if (index === TIME) {
      nanosAt = from
      value = three
    }
    if (at === from || value > Number.MAX_SAFE_INTEGER) return false
    numbers[index] = value
    at++
  }
  // Over the end, and not only over a dot.
  return !head.endsWithNumbers || at > reply.length
}
