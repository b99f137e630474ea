/**
 * How long requests for messages may be, so that they are soon over when a process, or its connection, leaves.
 *
 * O1  Where one server is all there is it leads every durable, and nothing is lost by an unsubscribe: requests are as long as asked.
 * O2  In a cluster a request is short while messages come; while none do it is long, and for one message.
 * O3  Once an end is set, nothing is asked for that comes later.
 */
import type { NatsConnection } from '@nats-io/transport-node'

/** Without a message for so long, none is likely to be on its way in the moment in which a subscription ends. */
const CALM_AFTER_MS = 1000
/** How long a request may be while messages come: a small part of what is saved by that. */
const BUSY = { shareOfAckWait: 1 / 15, leastMs: 100, mostMs: 1000 }
/** A request is over that much later than it says, at most; then its answer is lost. */
const OVERTIME_MS = 1000

type Waiting = { look: () => void; end: () => void }

export class RunOut {
  /** While messages come; undefined where the one server that there is leads every durable. */
  readonly #busyMs: number | undefined
  readonly #waiting = new Set<Waiting>()
  #lastMessage = -Infinity
  #isShort = false
  #until = Infinity

  constructor({ info }: NatsConnection, ackWaitMs: number) {
    if (info?.cluster === undefined) return
    this.#busyMs = Math.min(BUSY.mostMs, Math.max(BUSY.leastMs, ackWaitMs * BUSY.shareOfAckWait))
  }

  /** Whether a message may be lost that is on its way when a subscription ends. */
  get isNeeded(): boolean {
    return this.#busyMs !== undefined
  }

  /** Upholds O2: the next request is for one message alone, because none came for a while. */
  get asksForOne(): boolean {
    return this.isNeeded && performance.now() - this.#lastMessage > CALM_AFTER_MS
  }

  /** What is asked for now will be over soon. A long request is not waited for: none came for a while when it was made. */
  get isShort(): boolean {
    return this.#isShort
  }

  /** How long what is asked for now may take, ms. Upholds O3. */
  get leftMs(): number {
    return this.#until - performance.now()
  }

  /** Upholds O2. */
  ask(want: number, expiresMs: number): { batch: number; expiresMs: number } {
    if (this.asksForOne) return { batch: 1, expiresMs }
    return { batch: want, expiresMs: this.#busyMs ?? expiresMs }
  }

  /** It is asked for so long. */
  onAsk(expiresMs: number): void {
    this.#isShort = expiresMs <= BUSY.mostMs
  }

  /** A message came, at `at` (of `performance.now()`). */
  onMessage(at: number): void {
    this.#lastMessage = at
  }

  /** Resolves when what was asked for has come or is over; `isOut` says so of what is asked for now. Upholds O3. */
  async until(until: number, isOut: () => boolean): Promise<void> {
    this.#until = until
    const { promise, resolve } = Promise.withResolvers<void>()
    const look = (): void => {
      if (this.leftMs <= 0 && (isOut() || !this.#isShort)) resolve()
    }
    const waiting = { look, end: resolve }
    this.#waiting.add(waiting)
    const timers = [
      setTimeout(resolve, Math.max(0, this.leftMs + (this.#busyMs ?? 0) + OVERTIME_MS)),
      setTimeout(look, Math.max(0, this.leftMs)),
    ]
    await promise
    for (const timer of timers) clearTimeout(timer)
    this.#waiting.delete(waiting)
  }

  /** Something came: what is waited for may be over. */
  look(): void {
    if (this.#waiting.size === 0) return
    for (const { look } of this.#waiting) look()
  }

  /** There is a new connection: what was asked for on the one before is gone. */
  reset(): void {
    this.#until = Infinity
    for (const { end } of this.#waiting) end()
  }
}
