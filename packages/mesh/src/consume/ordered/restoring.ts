import type { Feed } from './feed.ts'
import type { KeyLines } from './key-lines.ts'
import { firstOf, type Slice } from './slice.ts'

export type RestoringOptions = {
  lines: KeyLines<unknown>
  feed: Feed
  slice: Slice
  /** The record's `read` when the partition was taken over. */
  knownUpTo: number
  onRestored: () => void
}

/** After that long without the event that was expected, the stream's leader is asked. */
const PATIENCE_MS = 1000

/** Waits until all that the predecessor had begun was seen again, or is known to be gone. */
export class Restoring {
  readonly #options: RestoringOptions
  #timer: NodeJS.Timeout | undefined
  #isOver = false

  constructor(options: RestoringOptions) {
    this.#options = options
  }

  /** To be called at the beginning and after each event. */
  look(): void {
    if (this.#isOver) return
    clearTimeout(this.#timer)
    if (!this.#options.lines.isRestored) {
      this.#timer = setTimeout(() => void this.#askLeader(), PATIENCE_MS)
      return
    }
    this.#isOver = true
    this.#options.onRestored()
  }

  stop(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
  }

  /** What the record speaks of may have aged out, and then it never comes. Never throws. */
  async #askLeader(): Promise<void> {
    const { lines, feed, slice, knownUpTo } = this.#options
    const from = feed.position + 1
    try {
      const expected = await firstOf(slice, { from, upTo: knownUpTo })
      if (!expected) lines.endRestore()
      else if (feed.position < from) feed.reopen()
    } catch {
      // Asked again.
    }
    this.look()
  }
}
