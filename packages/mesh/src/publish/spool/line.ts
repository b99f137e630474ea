import type { ConnectionWatch } from '../../lifecycle/connection-watch.ts'
import type { PublisherDeps } from '../publisher.ts'

/** The way to the broker; undefined before the first connection. */
export type Line = { readonly publisher: PublisherDeps; readonly connection: ConnectionWatch }

/** The highest sequence of each stream that was heard of since the connection came: what is sent now, lands behind it. */
export class Heard {
  readonly #seqs = new Map<string, number>()

  note(stream: string, seq: number): void {
    if (seq > (this.#seqs.get(stream) ?? 0)) this.#seqs.set(stream, seq)
  }

  of(stream: string): number | undefined {
    return this.#seqs.get(stream)
  }

  /** While nobody listens a stream may be made again, with lower sequences. */
  forget(): void {
    this.#seqs.clear()
  }
}
