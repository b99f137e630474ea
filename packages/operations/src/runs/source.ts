import type { RunMessage } from '@malha/mesh'
import type { RunCounts } from './run.ts'

/** Something whose turn has come. What is `sent` a runner before this one sent; of what is `gone` nothing is left to send. */
export type Turn =
  | { kind: 'send'; message: RunMessage; payload: Uint8Array }
  | { kind: 'sent' | 'skipped' }
  | { kind: 'gone'; seq: number }

/** What came next; with it all up to `until` had its turn. */
export type Slice = { turns: readonly Turn[]; until: number }

/** What a record says that counts. `withheld`, of a shadow: how many of each type it would have published. */
export type Counted = {
  what: Exclude<keyof RunCounts, 'sent' | 'skipped'>
  withheld?: Readonly<Record<string, number>> | undefined
}

/** Where the messages of a run come from, and where it stands what became of them. */
export interface RunSource {
  /** Learns what a runner before this one had sent and not heard of; all up to `cursor` had its turn. */
  reopen(cursor: number): Promise<void>
  /**
   * The next messages behind `after`, at most `limit`.
   * @throws SourceAway when what it reads from does not answer, for as long as that may be
   */
  next(after: number, limit: number): Promise<Slice>
  /** Reads what became of them, from behind a record on; each batch is given with how far it goes. */
  follow(after: number, onBatch: (counted: readonly Counted[], until: number) => void): Promise<void>
}

/** What a run reads from is away; its message says so. */
export class SourceAway extends Error {
  override readonly name = 'SourceAway'
}
