import { type PublisherDeps, readBack } from './publisher.ts'
import { idOf, type StoredMessage } from '../read/stored-message.ts'

/** Where a trail begins: a sequence, or a time of the server's clock. */
export type TrailStart = { seq: number } | { start_time: string }

/**
 * The messages of one subject from some place on, read one after another, each once for all who ask.
 *
 * It goes no further than what is there when it is asked: a busy subject grows as fast as it can be read.
 */
export class Trail {
  readonly #deps: PublisherDeps
  readonly #stream: string
  readonly #subject: string
  #next: TrailStart
  /** By id. */
  readonly #seen = new Map<string, number>()

  constructor(deps: PublisherDeps, { stream, subject }: { stream: string; subject: string }, start: TrailStart) {
    this.#deps = deps
    this.#stream = stream
    this.#subject = subject
    this.#next = start
  }

  /**
   * The message of this id.
   * @throws MeshError as `readBack`, and the signal's reason
   */
  async find(id: string, signal: AbortSignal): Promise<StoredMessage | undefined> {
    const seen = this.#seen.get(id)
    const found = seen === undefined ? undefined : await readBack(this.#deps, this.#stream, { seq: seen })
    if (found && idOf(found) === id) return found
    const last = await readBack(this.#deps, this.#stream, { last_by_subj: this.#subject })
    for (let end = last?.seq ?? 0; ;) {
      signal.throwIfAborted()
      if ('seq' in this.#next && this.#next.seq > end) return undefined
      const next = await readBack(this.#deps, this.#stream, { ...this.#next, next_by_subj: this.#subject })
      if (!next || next.seq > end) return undefined
      this.#next = { seq: next.seq + 1 }
      this.#seen.set(idOf(next), next.seq)
      if (idOf(next) === id) return next
    }
  }
}
