/**
 * Writes the record of one partition for as long as this instance owns it.
 *
 * W1  The record is changed only by compare-and-set on what this owner wrote last: once another instance has written,
 *     nothing of this one counts, whenever it wakes. Then `onLost`.
 * W2  Every write says all (partition-record.ts), so one whose fate is unknown is settled by the next.
 * W3  A line handed to `settled` comes back by `onWritten` only when the server has a record that says so.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../../observe/logger.ts'
import type { DoubtRecord } from './doubt.ts'
import type { KeyLines } from './key-lines.ts'
import type { PartitionRecord } from './partition-record.ts'
import type { PartitionStore, StoredRecord } from './partition-store.ts'

/** What a settled event leaves behind: its key may have more that wait for the record. */
export type SettledLine = { readonly items: readonly unknown[]; readonly leftUpTo: number }

export type RecordWriterOptions<Line extends SettledLine> = {
  store: PartitionStore
  log: Logger
  partition: number
  /** As this instance wrote it when it took the partition over. */
  claimed: StoredRecord
  /** How things stand now. */
  progress: () => ReturnType<KeyLines<never>['snapshot']> &
    Pick<PartitionRecord, 'seen' | 'seenAt'> &
    Partial<DoubtRecord>
  onWritten: (lines: readonly Line[]) => void
  onLost: () => void
}

/** How long a write may wait for others to go with it, where nobody waits for it. */
const LINGER_MS = 4
/** Then it is looked whether it was stored, and written again: a process that stops waits for what it sent. */
const WRITE_MS = 3000
const AGAIN_MS = 250
/** Attempts that may fail before it is said. An election is none. */
const FAULT_AFTER = 4

export class RecordWriter<Line extends SettledLine> {
  readonly #options: RecordWriterOptions<Line>
  #record: PartitionRecord
  /** Grows with every attempt, so that it is known which of them was stored. */
  #writes: number
  #revision: number
  #settled: Line[] = []
  #writing: Promise<void> | undefined
  #isWanted = false
  #linger: NodeJS.Timeout | undefined
  #isOver = false
  #isHurried = false
  #writtenAt = performance.now()
  #fault: string | undefined

  constructor(options: RecordWriterOptions<Line>) {
    this.#options = options
    this.#record = options.claimed.record
    this.#writes = options.claimed.record.writes
    this.#revision = options.claimed.revision
  }

  /** What the record says up to where all is accounted for. */
  get read(): number {
    return this.#record.read
  }

  /** Why the record cannot be written; undefined when all is well. */
  get fault(): string | undefined {
    return this.#fault
  }

  /** Since the last write, ms. */
  get restedMs(): number {
    return performance.now() - this.#writtenAt
  }

  /** An event of a line is done. */
  settled(line: Line): void {
    this.#settled.push(line)
    this.write(isWaitedFor(line))
  }

  /** Has the record written: at once where somebody waits for it, else with what else is done in a moment. */
  write(isUrgent: boolean): void {
    this.#isWanted = true
    if (this.#writing || this.#isOver) return
    if (isUrgent || this.#isHurried) this.#start()
    else this.#linger ??= setTimeout(() => this.#start(), LINGER_MS)
  }

  /** Resolves once the server has a record of how things stand now. @throws when another instance may have the partition */
  async persist(): Promise<void> {
    // One that is under way may have begun before.
    const before = this.#writes
    while (this.#record.writes <= before) {
      if (this.#isOver) throw new Error('the partition is not this instance’s any more')
      this.write(true)
      await this.#writing
    }
  }

  /** From now on nothing lingers: the owner leaves. */
  hurry(): void {
    this.#isHurried = true
    if (this.#linger) this.#start()
  }

  /** The last write: from here on anybody may have the partition. Never throws; what was not written the successor does again. */
  async release(): Promise<void> {
    while (this.#writing) await this.#writing
    clearTimeout(this.#linger)
    if (this.#isOver) return
    this.#isOver = true
    await this.#attempt({ ...this.#next(), owner: '' }).catch(() => undefined)
  }

  stop(): void {
    this.#isOver = true
    clearTimeout(this.#linger)
  }

  #start(): void {
    clearTimeout(this.#linger)
    this.#linger = undefined
    if (this.#writing || this.#isOver) return
    this.#writing = this.#writeAll().finally(() => {
      this.#writing = undefined
      if (this.#isWanted) this.write(this.#settled.some(isWaitedFor))
    })
  }

  /** Upholds W3. Never throws. */
  async #writeAll(): Promise<void> {
    // What ends in this turn goes with it.
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
    const settled: Line[] = []
    for (let failures = 0; !this.#isOver;) {
      this.#isWanted = false
      settled.push(...this.#settled.splice(0))
      try {
        await this.#attempt(this.#next())
        break
      } catch (error) {
        this.#onFailure(error, ++failures)
        await sleep(AGAIN_MS, undefined, { ref: false })
      }
    }
    this.#fault = undefined
    this.#writtenAt = performance.now()
    if (!this.#isOver) this.#options.onWritten(settled)
  }

  #onFailure(error: unknown, failures: number): void {
    const { log, partition } = this.#options
    const about = { partition, err: error }
    if (failures === FAULT_AFTER)
      log.warn(about, 'a partition’s record cannot be written; its keys go on once it can be')
    else log.debug(about, 'a record was not written; again')
    if (failures >= FAULT_AFTER)
      this.#fault = `its record cannot be written: ${error instanceof Error ? error.message : String(error)}`
  }

  #next(): PartitionRecord {
    const { epoch, fence, owner } = this.#record
    return { epoch, fence, owner, writes: ++this.#writes, ...this.#options.progress() }
  }

  /** Upholds W1 and W2. @throws when it is not known whether it was written */
  async #attempt(record: PartitionRecord): Promise<void> {
    const { store, partition } = this.#options
    const revision = await store.write(partition, record, { revision: this.#revision, timeoutMs: WRITE_MS })
    if (revision !== undefined) {
      this.#record = record
      this.#revision = revision
      return
    }
    const found = await store.read(partition)
    if (!found) {
      // The bucket was emptied or made anew: what this owner knows is all there is.
      this.#revision = 0
      throw new Error('its record is gone')
    }
    if (found.record.fence !== record.fence || found.record.writes > record.writes) {
      this.stop()
      this.#options.onLost()
      return
    }
    // An earlier answer was lost.
    this.#revision = found.revision
    if (found.record.writes < record.writes) throw new Error('written since by this instance itself')
    this.#record = record
  }
}

const isWaitedFor = ({ items, leftUpTo }: SettledLine): boolean => items.length > 0 || leftUpTo > 0
