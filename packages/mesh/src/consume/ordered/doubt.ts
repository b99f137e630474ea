/**
 * Which events of a partition may be what ends their process, as its record tells
 * (docs/adr/0026-a-suspect-is-tried-alone.md). Pure, but that it keeps account.
 *
 * B1  Whatever ended a process was in the stream when the next instance took the partition over: in doubt is all up to there
 *     that is not settled, once `FREE_TAKEOVERS` in a row were from an instance that had not let go.
 * B2  An event in doubt is begun only after the record counts that.
 */
import type { PartitionRecord } from './partition-record.ts'

export type DoubtRecord = Required<Pick<PartitionRecord, 'unclean' | 'doubtful' | 'begun'>>

/** So many are no sign of anything. */
const FREE_TAKEOVERS = 3

export class Doubt {
  #unclean: number
  #doubtful: number
  readonly #begun: Map<number, number>

  constructor({ unclean = 0, doubtful = 0, begun = [] }: Partial<DoubtRecord>) {
    this.#unclean = unclean
    this.#doubtful = doubtful
    this.#begun = new Map(begun)
  }

  /** There is nothing to be written. */
  get isNone(): boolean {
    return this.#unclean === 0 && this.#begun.size === 0
  }

  /** Upholds B1. */
  isIn(seq: number): boolean {
    const isFree = this.#unclean < FREE_TAKEOVERS || seq > this.#doubtful
    return !isFree || this.#begun.has(seq)
  }

  /** How often its process ended, or its call never came back, while it was begun. */
  crashesOf(seq: number): number {
    return this.#begun.get(seq) ?? 0
  }

  /** It is begun, or was and will not come back. */
  begin(seq: number): void {
    this.#begun.set(seq, this.crashesOf(seq) + 1)
  }

  /** It came back. */
  end(seq: number): void {
    const crashes = this.crashesOf(seq) - 1
    if (crashes > 0) this.#begun.set(seq, crashes)
    else this.#begun.delete(seq)
  }

  settle(seq: number): void {
    this.#begun.delete(seq)
  }

  /** For the record; all below `floor` is settled. */
  snapshot(floor: number): Partial<DoubtRecord> {
    for (const seq of this.#begun.keys()) if (seq < floor) this.#begun.delete(seq)
    if (floor > this.#doubtful) this.#unclean = 0
    return {
      ...(this.#unclean > 0 && { unclean: this.#unclean, doubtful: this.#doubtful }),
      ...(this.#begun.size > 0 && { begun: [...this.#begun] }),
    }
  }
}
