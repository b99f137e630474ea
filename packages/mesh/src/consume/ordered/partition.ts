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
import type { Maybe } from '../../maybe.ts'
import type { Delivery } from '../delivery.ts'
import type { RunnerOptions } from '../runner-options.ts'
import type { Claim } from './claim.ts'
import { Doubt } from './doubt.ts'
import { KeyLines, type Progress } from './key-lines.ts'
import { KeyTurns, type Line } from './key-turns.ts'
import type { Membership } from './membership.ts'
import type { KeptRetry } from './partition-record.ts'
import type { PartitionStore, StoredRecord } from './partition-store.ts'
import { Reading } from './reading.ts'
import { RecordWriter } from './record-writer.ts'
import { SentLines } from './sent-lines.ts'
import type { SentMessage } from './sent-message.ts'
import { noCredit } from './stored-delivery.ts'

export type PartitionPort = {
  /** The first of a line may begin. */
  onReady: (partition: Partition, line: Line) => void
  /** Another instance has it, or what is known of it is void. */
  onLost: (partition: Partition, why: string) => void
  /** From now on it takes what runs sent. */
  onRestored: (partition: Partition) => void
}

export type PartitionOptions = {
  runner: RunnerOptions
  store: PartitionStore
  membership: Membership
  partition: number
  /** What it takes, as the server sees it. */
  filter: string
  /** As this instance wrote it when it took it over. */
  claimed: StoredRecord
  limit: number
  /** The same when nothing stands before the handler. @default `limit` */
  usualLimit?: number
  port: PartitionPort
}

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
  readonly #options: PartitionOptions
  readonly #lines: KeyLines<Delivery>
  readonly #turns: KeyTurns
  readonly #sent: SentLines
  readonly #reading: Reading
  readonly #writer: RecordWriter<Line>
  readonly #end = new AbortController()
  readonly #restMs: number
  #running = 0
  #isLeaving = false
  #idle: (() => void)[] = []
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
    this.#reading.restore()
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

  get heldKeys(): number {
    return [...this.#lines.waiting].filter(({ retry }) => retry).length + this.#sent.retrying
  }

  /** Keys of which events are left in the stream until their turn comes. */
  get parkedKeys(): number {
    return [...this.#lines.waiting].filter(({ leftUpTo }) => leftUpTo > 0).length
  }

  /** Keys that a dead letter holds. */
  get behindLetters(): Line[] {
    return [...this.#lines.waiting].filter(({ behind }) => behind)
  }

  get openKeys(): number {
    return this.#lines.size
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

  /** Begins the first of a line. Of what a run sent: undefined where it is gone. @throws where it could not be read */
  begin(line: Line): Maybe<Delivery | undefined> {
    line.phase = 'running'
    this.#running++
    return line.current ? this.#sent.load(line.current) : line.items[0]!.item
  }

  /** All that whoever had it before had begun was seen again. */
  get isRestored(): boolean {
    return this.#lines.isRestored && !this.#isOver
  }

  /** A run sent it, for one of its keys. Only when it is restored. */
  accept(token: string, message: SentMessage): void {
    if (this.isRestored) this.#sent.accept(token, message)
  }

  /** What a run sent is not begun after all, but later. */
  postpone(line: Line, delayMs: number): void {
    const before = line.current?.retry ?? { attempts: 0, failures: 0, firstFailureAt: 0 }
    this.hold(line, { ...before, dueAt: Date.now() + delayMs, delayMs })
  }

  /** What a run sent is done with, by the records about it. */
  async settleSent(line: Line): Promise<void> {
    await this.#sent.end(line)
    if (!this.lost.aborted) this.#ended()
  }

  /** It was begun, and is to begin again: nothing came of it. */
  again(line: Line): void {
    this.#turns.ready(line)
    this.#ended()
  }

  /** It never came back: its key stands still for as long as this instance has the partition. */
  stuck(line: Line): void {
    line.phase = 'stuck'
    const head = line.items[0]
    // Of one in doubt that is counted already.
    if (head && !line.current && !head.item.onTrial) this.doubts.begin(head.seq)
    this.#giveWay(line)
    this.#writer.write(false)
    this.#ended()
  }

  /** It is done, or its letter is stored. */
  settle(line: Line): void {
    this.#settleHead(line)
    this.#ended()
  }

  /** Its letter is stored, and its key waits until somebody has dealt with that. */
  holdBehind(line: Line): void {
    const { seq, item: head } = line.items[0]!
    const { epoch, storedAt } = head.source
    const rest = this.#lines.holdBehind(line, { epoch, seq, storedAt })
    this.doubts.settle(seq)
    this.#reading.applyLimit()
    for (const { credit } of [head, ...rest]) credit.release()
    this.#writer.write(true)
    if (rest.length === 0) void this.#turns.locate(line)
    this.#turns.hear(line)
    this.#ended()
  }

  /**
   * The letter that held its key does not any more: what waited comes in order. Upholds O1: not before the record says that the
   * event of the letter is settled. @throws when the partition is lost
   */
  async freeKey(line: Line): Promise<void> {
    const { behind } = line
    if (!behind) return
    await this.#writer.persist()
    if (line.behind !== behind || this.lost.aborted) return
    this.#lines.release(line)
    this.#reading.applyLimit()
    this.#writer.write(false)
    if (line.phase === 'held' && !line.current) this.#turns.goOn(line)
  }

  /** What waited behind a letter and has left the stream by now is not waited for: `firstSeq` is the first that is left. */
  async forgetBelow(firstSeq: number): Promise<void> {
    const gone = this.behindLetters.filter(({ from, leftUpTo }) => leftUpTo > 0 && from < firstSeq)
    await Promise.all(gone.map((line) => this.#turns.locate(line)))
  }

  /** It never came back, and has done so after all: its key goes on. */
  unstuck(line: Line): void {
    if (line.phase !== 'stuck' || this.lost.aborted) return
    if (line.current) void this.#sent.end(line)
    else this.#settleHead(line)
  }

  /** Upholds O4: it failed, and its key waits, and nobody else. */
  hold(line: Line, retry: KeptRetry): void {
    if (line.current) line.current.retry = retry
    this.#giveWay(line, line.current ? this.#lines.trim(line) : this.#lines.hold(line, retry))
    this.#turns.wait(line, retry.delayMs)
    // What came for this key from a run meanwhile need not wait for the retry.
    this.#turns.hear(line)
    this.#writer.write(false)
    this.#ended()
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
  async untilIdle(): Promise<void> {
    if (this.#running === 0) return
    const turn = Promise.withResolvers<void>()
    this.#idle.push(turn.resolve)
    await turn.promise
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
    this.#running = 0
    this.#tell()
  }

  get #isOver(): boolean {
    return this.#isLeaving || this.lost.aborted
  }

  #settleHead(line: Line): void {
    const { seq, item: head } = line.items[0]!
    this.#lines.settleHead(line)
    this.doubts.settle(seq)
    head.credit.release()
    this.#writer.settled(line)
    this.#reading.applyLimit()
  }

  /** Upholds O4: it takes nothing up of what is asked for at once. */
  #giveWay(line: Line, rest: readonly Delivery[] = this.#lines.trim(line)): void {
    const head = line.items[0]?.item
    // First: what is given back is asked for again at once.
    this.#reading.applyLimit()
    for (const { credit } of rest) credit.release()
    if (head) {
      head.credit.release()
      head.credit = noCredit
    }
  }

  #onKept(line: Line): void {
    if (line.phase === 'idle') this.#turns.ready(line)
    // Its predecessor is settled and may have been in no hurry to be written down.
    else if (line.phase === 'settling') this.#writer.write(true)
  }

  #ended(): void {
    this.#running--
    this.#tell()
  }

  #tell(): void {
    if (this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }
}

const floorOf = ({ read, running, open }: Progress): number =>
  Math.min(read + 1, ...running, ...open.map(({ from }) => from))

function lostError(partition: number): MeshError {
  return new MeshError('MESH_PARTITION_LOST', `partition ${partition} went to another instance, which does it again`)
}
