/**
 * The messages that runs sent for the keys of one partition (docs/adr/0034-a-message-of-a-run-waits-for-its-key.md).
 *
 * N1  Of a message only its name is in memory until its turn comes: it is read then, and again for each attempt.
 * N2  Of several copies of one message the first one is read: it is the one that may have been claimed.
 * N3  It is removed from the lane only when it is done with, by the records about it; whoever finds it again loses its claim.
 */
import { getStored } from '../../read/stored-message.ts'
import type { Delivery } from '../delivery.ts'
import type { RunnerOptions } from '../runner-options.ts'
import type { Claim } from './claim.ts'
import type { KeyLines } from './key-lines.ts'
import type { KeyTurns, Line } from './key-turns.ts'
import { sentDelivery } from './sent-delivery.ts'
import type { SentMessage } from './sent-message.ts'

export type SentLinesOptions = {
  runner: Pick<RunnerOptions, 'lane' | 'log' | 'labels'>
  lines: KeyLines<Delivery>
  turns: KeyTurns
  claim: Claim
}

export class SentLines {
  readonly #options: SentLinesOptions
  readonly #lines = new Map<string, Line>()

  constructor(options: SentLinesOptions) {
    this.#options = options
  }

  /** How many wait for another attempt. */
  get retrying(): number {
    return [...this.#lines.values()].filter(({ current }) => current?.retry).length
  }

  /** One that is on the lane; does nothing where it is known. */
  accept(token: string, message: SentMessage): void {
    if (this.#lines.has(message.subject)) return
    const { lines, turns } = this.#options
    const line = lines.send(token, message)
    this.#lines.set(message.subject, line)
    turns.hear(line)
  }

  /** Upholds N1 and N2. Undefined where it is gone. @throws what the server said, or did not say */
  async load(message: SentMessage): Promise<Delivery | undefined> {
    const { runner, claim } = this.#options
    const { nc, names, service } = runner.lane
    const stored = await getStored(nc, names.lanes(service), { seq: 1, next_by_subj: message.subject })
    return stored && sentDelivery(stored, { message, claim })
  }

  /** The turn of one is over: it is done with, and the next of its key has its turn. */
  async end(line: Line): Promise<void> {
    const { lines, turns } = this.#options
    if (!line.current) return
    await this.#remove(line.current)
    this.#lines.delete(line.current.subject)
    lines.endTurn(line)
    turns.resume(line)
  }

  /** Upholds N3. Never throws: one that could not be removed is found again, and not handled. */
  async #remove({ subject }: SentMessage): Promise<void> {
    const { nc, names, service } = this.#options.runner.lane
    const api = `$JS.API.STREAM.PURGE.${names.lanes(service)}`
    try {
      await nc.request(api, JSON.stringify({ filter: subject }))
    } catch (error) {
      const { log, labels } = this.#options.runner
      log.debug({ ...labels, subject, err: error }, 'a message of a run that is done with was not removed')
    }
  }
}
