/**
 * One partition this instance owns: its events, the account of them, and the record that says how far it is.
 *
 * O1  An event of a key begins only after the record says that the one before it is settled. So nobody who goes on from
 *     the record, ever, begins an event of a key after a later one of that key was begun.
 * O2  Once another instance has written the record, nothing begins here and nothing that ends here counts (record-writer.ts W1).
 * O3  Nothing begins before all that the predecessor had begun was seen again (reading.ts E1).
 * O4  A key that waits for a retry keeps one event in memory, however many are behind it: those stay in the stream.
 * O5  Of a key one thing is done at a time, be it an event or what a run sent.
 */
import { MeshError } from '../../errors.ts'
import type { Delivery } from '../delivery.ts'
import type { Claim } from './claim.ts'
import { Doubt } from './doubt.ts'
import { KeyLines, type Progress } from './key-lines.ts'
import { KeyTurns, type Line } from './key-turns.ts'
import { KeyWork } from './key-work.ts'
import type { KeyCounts, PartitionOptions } from './partition-options.ts'
import { Reading } from './reading.ts'
import { RecordWriter } from './record-writer.ts'
import { RunningCalls } from './running-calls.ts'
import { SentLines } from './sent-lines.ts'
import type { SentMessage } from './sent-message.ts'

/** Events of one key that stay in memory; those behind them are read again when their turn comes. */
const MOST_PER_KEY = 16
/** Of what is asked for at once one key has no more than this part, so that a few slow ones keep no other from being read. */
const KEY_SHARE = 1 / 8
/** How often a partition without events writes down how far the stream is. */
const REST_MS = 30_000

export class Partition implements Claim {
  readonly partition: number
  readonly fence: number
  /** The first sequence that was not settled when it was taken over. */
  readonly takenFrom: number
  /** Which of its events may be what ends their process. */
  readonly doubts: Doubt
  /** What is done with its keys. */
  readonly work: KeyWork
  readonly #options: PartitionOptions
  readonly #lines: KeyLines<Delivery>
  readonly #turns: KeyTurns
  readonly #sent: SentLines
  readonly #reading: Reading
  readonly #writer: RecordWriter<Line>
  readonly #end = new AbortController()
  readonly #restMs: number
  readonly #calls = new RunningCalls()
  #isLeaving = false
  #released: Promise<void> | undefined

  constructor(options: PartitionOptions) {
    const { runner, partition, claimed, filter, limit, usualLimit = limit, store, port } = options
    const { log, nc, stream, epoch, def } = runner
    const { record } = claimed
    this.#options = options
    this.partition = partition
    this.fence = record.fence
    this.#restMs = Math.min(REST_MS, def.source.stream.maxAgeMs / 8)
    const mostPerKey = Math.max(2, Math.min(MOST_PER_KEY, Math.floor(usualLimit * KEY_SHARE)))
    // Of a release that holds no keys those of one that did go on.
    const lines = new KeyLines<Delivery>(def.onDeadLetter === 'hold-key' ? record : { ...record, held: [] }, mostPerKey)
    const parts = { lines, slice: { nc, stream, epoch, filter }, claim: this }
    this.#lines = lines
    this.doubts = new Doubt(record)
    this.takenFrom = this.floor.from
    this.#turns = new KeyTurns({
      ...parts,
      log,
      onReady: (line) => port.onReady(this, line),
      onRead: () => this.#reading.applyLimit(),
    })
    this.#sent = new SentLines({ ...parts, runner, turns: this.#turns })
    this.#writer = new RecordWriter<Line>({
      store,
      log,
      partition,
      claimed,
      progress: () => {
        const progress = { ...lines.snapshot(), ...this.#reading.seen }
        return this.doubts.isNone ? progress : { ...progress, ...this.doubts.snapshot(floorOf(progress)) }
      },
      onWritten: (written) => {
        for (const line of written) this.#turns.goOn(line)
      },
      onLost: () => port.onLost(this, 'another instance has it'),
    })
    this.#reading = new Reading({
      ...parts,
      runner,
      record,
      limit,
      onRestored: () => {
        for (const line of lines.lines) if (line.phase === 'idle') this.#turns.resume(line)
        port.onRestored(this)
      },
      onKept: (line) => this.#onKept(line),
      onLost: (why) => port.onLost(this, why),
    })
    const { doubts, lost } = this
    const [turns, sent, writer, reading, calls] = [this.#turns, this.#sent, this.#writer, this.#reading, this.#calls]
    this.work = new KeyWork({ lines, turns, sent, writer, reading, doubts, calls, lost })
    reading.restore()
  }

  get lost(): AbortSignal {
    return this.#end.signal
  }

  get isSure(): boolean {
    return !this.lost.aborted && this.#options.membership.holds
  }

  /** Why it stands still; undefined when all is well. */
  get fault(): string | undefined {
    return this.#writer.fault ?? this.#reading.fault
  }

  /** Keys that a dead letter holds. */
  get behindLetters(): Line[] {
    return [...this.#lines.waiting].filter(({ behind }) => behind)
  }

  get counts(): KeyCounts {
    const waiting = [...this.#lines.waiting]
    return {
      open: this.#lines.size,
      held: waiting.filter(({ retry }) => retry).length + this.#sent.retrying,
      parked: waiting.filter(({ leftUpTo }) => leftUpTo > 0).length,
      behindLetters: this.behindLetters.length,
    }
  }

  /** The first sequence that is not settled, as far as this instance has seen; and up to where it has. */
  get floor(): { from: number; read: number } {
    const progress = this.#lines.snapshot()
    return { from: floorOf(progress), read: progress.read }
  }

  /** Nothing but the server stands in the way of its next event. */
  get hasRoom(): boolean {
    return this.#reading.hasRoom
  }

  /** As many of its keys wait as may: it reads nothing new until one of them goes on. */
  get isFull(): boolean {
    return this.#reading.isFull
  }

  /** How many events are not yet brought. */
  pending(): Promise<number> {
    return this.#reading.pending()
  }

  /** The stream has nothing for this partition up to there that it has not seen. Written down now and then. */
  async advance(to: number): Promise<void> {
    if (this.#writer.restedMs < this.#restMs || to <= this.#writer.read) return
    if (await this.#reading.advance(to)) this.#writer.write(false)
  }

  setLimit(limit: number): void {
    this.#reading.setLimit(limit)
  }

  /** Reads on with a new consumer: there is something it did not bring. */
  refresh(): void {
    this.#reading.refresh()
  }

  async confirm(): Promise<void> {
    await this.#options.membership.untilHolds(this.lost)
    if (this.lost.aborted) throw lostError(this.partition)
  }

  /** Whether the first of a line may begin now. */
  mayBegin(line: Line): boolean {
    return line.phase === 'ready' && !this.#isOver && (line.current !== undefined || line.items.length > 0)
  }

  /** Resolves once the record counts that an event in doubt is begun; only then may it be. @throws when the partition is lost */
  async noteBegun(seq: number): Promise<void> {
    this.doubts.begin(seq)
    await this.#writer.persist()
  }

  /** All that whoever had it before had begun was seen again. */
  get isRestored(): boolean {
    return this.#lines.isRestored && !this.#isOver
  }

  /** A run sent it, for one of its keys. Only when it is restored. */
  accept(token: string, message: SentMessage): void {
    if (this.isRestored) this.#sent.accept(token, message)
  }

  /** What waited behind a letter and has left the stream by now is not waited for: `firstSeq` is the first that is left. */
  async forgetBelow(firstSeq: number): Promise<void> {
    const gone = this.behindLetters.filter(({ from, leftUpTo }) => leftUpTo > 0 && from < firstSeq)
    await Promise.all(gone.map((line) => this.#turns.locate(line)))
  }

  /** Makes what waits due over `rampMs`, none later than it would have been. Returns whether there was any. */
  wake(rampMs: number, most: number = Infinity): boolean {
    return this.#turns.hasten(rampMs, most)
  }

  /** Begins nothing more. Once nothing runs (`untilIdle`), `release` lets go. */
  leave(): void {
    this.#isLeaving = true
    this.#turns.stop()
    this.#writer.hurry()
    this.#reading.stop()
  }

  /** Resolves when nothing of it runs. */
  untilIdle(): Promise<void> {
    return this.#calls.untilIdle()
  }

  /** Writes down how far it is, and that anybody may have it. Never throws. */
  release(): Promise<void> {
    this.leave()
    return (this.#released ??= this.#writer.release().then(() => this.drop()))
  }

  /** Upholds O2. */
  drop(): void {
    if (this.lost.aborted) return
    this.#writer.stop()
    this.#end.abort(lostError(this.partition))
    this.#turns.stop()
    this.#reading.stop()
    this.#calls.forget()
  }

  get #isOver(): boolean {
    return this.#isLeaving || this.lost.aborted
  }

  #onKept(line: Line): void {
    if (line.phase === 'idle') this.#turns.ready(line)
    // Its predecessor is settled and may have been in no hurry to be written down.
    else if (line.phase === 'settling') this.#writer.write(true)
  }
}

const floorOf = ({ read, running, open }: Progress): number =>
  Math.min(read + 1, ...running, ...open.map(({ from }) => from))

function lostError(partition: number): MeshError {
  return new MeshError('MESH_PARTITION_LOST', `partition ${partition} went to another instance, which does it again`)
}
