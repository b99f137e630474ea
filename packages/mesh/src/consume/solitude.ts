/** A handler of this process, as far as it can be asked to be still. */
export type Party = {
  /** Begins nothing from now on. */
  hold: () => void
  /** Resolves when nothing of it runs but what never comes back. */
  idle: () => Promise<void>
  /** May begin again. */
  resume: () => void
}

/** Lets one message at a time run while nothing else of any handler of this process does: if that process ends, it was this one. */
export class Solitude {
  readonly #parties = new Set<Party>()
  #turn: Promise<void> = Promise.resolve()
  #isOn = false

  /** Returns how to leave. */
  join(party: Party): () => void {
    this.#parties.add(party)
    if (this.#isOn) party.hold()
    return () => this.#parties.delete(party)
  }

  /** Runs `run` when its turn has come and all are still. */
  async alone(run: () => Promise<void>): Promise<void> {
    const before = this.#turn
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#turn = promise
    await before
    this.#isOn = true
    try {
      for (const party of this.#parties) party.hold()
      await Promise.all([...this.#parties].map((party) => party.idle()))
      await run()
    } finally {
      this.#isOn = false
      for (const party of this.#parties) party.resume()
      resolve()
    }
  }
}
