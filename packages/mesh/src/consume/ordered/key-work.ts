import type { Maybe } from '../../maybe.ts'
import type { Delivery } from '../delivery.ts'
import type { Doubt } from './doubt.ts'
import type { KeyLines } from './key-lines.ts'
import type { KeyTurns, Line } from './key-turns.ts'
import type { KeptRetry } from './partition-record.ts'
import type { Reading } from './reading.ts'
import type { RecordWriter } from './record-writer.ts'
import type { RunningCalls } from './running-calls.ts'
import type { SentLines } from './sent-lines.ts'
import { noCredit } from './stored-delivery.ts'

export type KeyWorkParts = {
  lines: KeyLines<Delivery>
  turns: KeyTurns
  sent: SentLines
  writer: RecordWriter<Line>
  reading: Reading
  doubts: Doubt
  calls: RunningCalls
  /** Aborts when another instance may have the partition. */
  lost: AbortSignal
}

/** What becomes of the first of a key, and with it of the key: upholds O1, O4 and O5 of partition.ts. */
export class KeyWork {
  readonly #parts: KeyWorkParts

  constructor(parts: KeyWorkParts) {
    this.#parts = parts
  }

  /** Begins the first of a line. Of what a run sent: undefined where it is gone. @throws where it could not be read */
  begin(line: Line): Maybe<Delivery | undefined> {
    line.phase = 'running'
    this.#parts.calls.begin()
    return line.current ? this.#parts.sent.load(line.current) : line.items[0]!.item
  }

  /** What a run sent is not begun after all, but later. */
  postpone(line: Line, delayMs: number): void {
    const before = line.current?.retry ?? { attempts: 0, failures: 0, firstFailureAt: 0 }
    this.hold(line, { ...before, dueAt: Date.now() + delayMs, delayMs })
  }

  /** What a run sent is done with, by the records about it. */
  async settleSent(line: Line): Promise<void> {
    await this.#parts.sent.end(line)
    if (!this.#parts.lost.aborted) this.#parts.calls.end()
  }

  /** It was begun, and is to begin again: nothing came of it. */
  again(line: Line): void {
    this.#parts.turns.ready(line)
    this.#parts.calls.end()
  }

  /** It never came back: its key stands still for as long as this instance has the partition. */
  stuck(line: Line): void {
    line.phase = 'stuck'
    const head = line.items[0]
    // Of one in doubt that is counted already.
    if (head && !line.current && !head.item.onTrial) this.#parts.doubts.begin(head.seq)
    this.#giveWay(line)
    this.#parts.writer.write(false)
    this.#parts.calls.end()
  }

  /** It is done, or its letter is stored. */
  settle(line: Line): void {
    this.#settleHead(line)
    this.#parts.calls.end()
  }

  /** Its letter is stored, and its key waits until somebody has dealt with that. */
  holdBehind(line: Line): void {
    const { seq, item: head } = line.items[0]!
    const { epoch, storedAt } = head.source
    const rest = this.#parts.lines.holdBehind(line, { epoch, seq, storedAt })
    this.#parts.doubts.settle(seq)
    this.#parts.reading.applyLimit()
    for (const { credit } of [head, ...rest]) credit.release()
    this.#parts.writer.write(true)
    if (rest.length === 0) void this.#parts.turns.locate(line)
    this.#parts.turns.hear(line)
    this.#parts.calls.end()
  }

  /**
   * The letter that held its key does not any more: what waited comes in order. Upholds O1: not before the record says that the
   * event of the letter is settled. @throws when the partition is lost
   */
  async freeKey(line: Line): Promise<void> {
    const { behind } = line
    if (!behind) return
    await this.#parts.writer.persist()
    if (line.behind !== behind || this.#parts.lost.aborted) return
    this.#parts.lines.release(line)
    this.#parts.reading.applyLimit()
    this.#parts.writer.write(false)
    if (line.phase === 'held' && !line.current) this.#parts.turns.goOn(line)
  }

  /** It never came back, and has done so after all: its key goes on. */
  unstuck(line: Line): void {
    if (line.phase !== 'stuck' || this.#parts.lost.aborted) return
    if (line.current) void this.#parts.sent.end(line)
    else this.#settleHead(line)
  }

  /** Upholds O4: it failed, and its key waits, and nobody else. */
  hold(line: Line, retry: KeptRetry): void {
    if (line.current) line.current.retry = retry
    this.#giveWay(line, line.current ? this.#parts.lines.trim(line) : this.#parts.lines.hold(line, retry))
    this.#parts.turns.wait(line, retry.delayMs)
    // What came for this key from a run meanwhile need not wait for the retry.
    this.#parts.turns.hear(line)
    this.#parts.writer.write(false)
    this.#parts.calls.end()
  }

  #settleHead(line: Line): void {
    const { seq, item: head } = line.items[0]!
    this.#parts.lines.settleHead(line)
    this.#parts.doubts.settle(seq)
    head.credit.release()
    this.#parts.writer.settled(line)
    this.#parts.reading.applyLimit()
  }

  /** Upholds O4: it takes nothing up of what is asked for at once. */
  #giveWay(line: Line, rest: readonly Delivery[] = this.#parts.lines.trim(line)): void {
    const head = line.items[0]?.item
    // First: what is given back is asked for again at once.
    this.#parts.reading.applyLimit()
    for (const { credit } of rest) credit.release()
    if (head) {
      head.credit.release()
      head.credit = noCredit
    }
  }
}
