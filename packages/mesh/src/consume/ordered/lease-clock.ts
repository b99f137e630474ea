/** The clocks of this machine, ms. Neither alone is enough: the first stands still while a machine sleeps, the second is set. */
export type Clocks = { monotonic: () => number; wall: () => number }

/** A moment by both clocks. */
export type Moment = { readonly monotonic: number; readonly wall: number }

const OWN: Clocks = { monotonic: () => performance.now(), wall: () => Date.now() }

/**
 * Whether a lease still holds, by this machine's clocks alone. It ends a margin before the server ends it, counted from
 * when its renewal was *sent*. A process that was stopped for longer sees it on its first look, before it does anything.
 */
export class LeaseClock {
  readonly #ownMs: number
  readonly #clocks: Clocks
  #since: Moment | undefined

  /** `leaseMs` is what the server keeps it, `marginMs` by how much earlier it ends here. */
  constructor(leaseMs: number, marginMs: number, clocks: Clocks = OWN) {
    this.#ownMs = leaseMs - marginMs
    this.#clocks = clocks
  }

  now(): Moment {
    return { monotonic: this.#clocks.monotonic(), wall: this.#clocks.wall() }
  }

  /** The server has a renewal that was sent at that moment. */
  renewed(sentAt: Moment): void {
    this.#since = sentAt
  }

  lost(): void {
    this.#since = undefined
  }

  get holds(): boolean {
    if (this.#since === undefined) return false
    const { monotonic, wall } = this.now()
    // A wall clock that is set back says nothing; one that jumps ahead only makes the lease end early.
    return Math.max(monotonic - this.#since.monotonic, wall - this.#since.wall) < this.#ownMs
  }
}
