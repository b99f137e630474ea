/** One call of a reply's function, from its answer until the function comes back. */
export type UnreturnedCall = {
  /** It may take long: its time is over, or nobody waits for it. */
  markHeld(): void
  returned(): void
}

/** Calls that were answered for and whose function has not come back: each holds a slot. */
export class UnreturnedCalls {
  readonly #leakAfterMs: number
  readonly #onLeaked: (leaked: number, change: 1 | -1) => void
  /** By when the time of each is over. */
  readonly #held = new Map<UnreturnedCall, number>()
  #leaked = 0

  /** `onLeaked` is told how many are lost: those that are not back `leakAfterMs` past their time. */
  constructor(leakAfterMs: number, onLeaked: (leaked: number, change: 1 | -1) => void) {
    this.#leakAfterMs = leakAfterMs
    this.#onLeaked = onLeaked
  }

  get held(): number {
    return this.#held.size
  }

  /** Of those held, how many are over their time. */
  get overdue(): number {
    const now = performance.now()
    return [...this.#held.values()].filter((endsAt) => endsAt <= now).length
  }

  /** `endsAt`: by the reply's own time limit, so that a requester in a hurry is no judge of what takes too long. */
  begin(endsAt: number): UnreturnedCall {
    let isLeaked = false
    const leak = (): void => {
      isLeaked = true
      call.markHeld()
      this.#onLeaked(++this.#leaked, 1)
    }
    const timer = setTimeout(leak, Math.max(0, endsAt + this.#leakAfterMs - performance.now())).unref()
    const call: UnreturnedCall = {
      markHeld: () => void this.#held.set(call, endsAt),
      returned: () => {
        clearTimeout(timer)
        this.#held.delete(call)
        if (isLeaked) this.#onLeaked(--this.#leaked, -1)
      },
    }
    return call
  }
}
