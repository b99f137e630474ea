import { isUnanswered } from '../topology/ask-again.ts'

/** An election takes up to 9 s. */
const PATIENCE_MS = 15_000

/**
 * Why a consumer cannot be looked at, as far as it is a reason not to be ready: a server that does not answer is none before
 * it stays so. Whoever takes requests would be taken out of its Service together with all others, for an election.
 */
export class LookFault {
  #why: string | undefined
  /** Of `performance.now()`: since when nobody answers. */
  #unansweredAt: number | undefined

  get reason(): string | undefined {
    const at = this.#unansweredAt
    return at !== undefined && performance.now() - at < PATIENCE_MS ? undefined : this.#why
  }

  /** Returns whether it is another one than before. */
  set(why: string, error: unknown): boolean {
    const isNews = why !== this.#why
    this.#why = why
    this.#unansweredAt = isUnanswered(error) ? (this.#unansweredAt ?? performance.now()) : undefined
    return isNews
  }

  clear(): void {
    this.#why = undefined
    this.#unansweredAt = undefined
  }
}
