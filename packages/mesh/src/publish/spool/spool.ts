/**
 * Events that wait for the broker, in a file.
 *
 * S1  `add` resolves only when the event is on the disk. All that came within `GROUP_MS` share one commit.
 * S2  The order of a stream's events is the order of the calls of `add`, also after a restart.
 * S3  An entry leaves only because it is stored (`settle`), or refused for good, and then it is among the dead.
 * S4  Before an entry is sent the file says so (`mark`): after a crash it is looked up before it is sent again.
 */
import type { DatabaseSync } from 'node:sqlite'
import { MeshError } from '../../errors.ts'
import type { Logger } from '../../observe/logger.ts'
import {
  checksum,
  type DeadEntry,
  type Death,
  type Entry,
  type EntryHead,
  sizeOf,
  LETTER,
  type LetterState,
} from './entry.ts'
import { openSpoolFile, type OpenFile } from './open-file.ts'
import { Queues, type Slot } from './queues.ts'
import { resultCode, SQLITE } from './sqlite.ts'
import { statements } from './statements.ts'

export type SpoolOptions = {
  /** On a local disk; its folder is made where it is missing. One process a file. Env `MALHA_SPOOL_FILE`. */
  file: string
  /** What it holds at most, bytes of events with their headers. Env `MALHA_SPOOL_MAX_BYTES`. @default 268 435 456 (256 MiB) */
  maxBytes?: number
}

export const SPOOL_MAX_BYTES: number = 256 * 1024 ** 2

/** One commit for all that came within it, ms. */
const GROUP_MS = 5

type Waiting = { entry: Entry; slot: Slot; resolve: () => void; reject: (error: Error) => void }

/** Sent up to here, and if it is stored then behind `floor`. */
export type Mark = { sentTo: number; floor: number }

export type SpoolState = {
  /** By stream, as the server names it. */
  entries: ReadonlyMap<string, number>
  bytes: number
  maxBytes: number
  dead: number
  /** Unix ms; undefined when nothing is queued. */
  oldestAt: number | undefined
}

export class Spool {
  readonly id: string
  readonly #file: OpenFile
  readonly #db: DatabaseSync
  readonly #maxBytes: number
  readonly #log: Logger
  readonly #sql: ReturnType<typeof statements>
  /** Committed, in order. */
  readonly #queues = new Queues()
  readonly #marks = new Map<string, Mark>()
  #waiting: Waiting[] = []
  /** Streams of those that wait for their commit. */
  #waitingFor = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #committedAt = -GROUP_MS
  #nextSeq: number
  #bytes = 0
  #dead = 0
  #closed = false
  /** Called after a commit that added to a stream. */
  onAdded: (stream: string) => void = () => undefined
  /** Called after an entry died. */
  onDead: () => void = () => undefined

  /** @throws MeshError MESH_SPOOL_IN_USE | MESH_SPOOL_UNUSABLE */
  static async open(options: SpoolOptions, log: Logger): Promise<Spool> {
    return new Spool(await openSpoolFile(options.file, log), { maxBytes: SPOOL_MAX_BYTES, ...options }, log)
  }

  private constructor(file: OpenFile, { maxBytes }: Required<SpoolOptions>, log: Logger) {
    this.#file = file
    this.#db = file.db
    this.id = file.id
    this.#maxBytes = maxBytes
    this.#log = log
    this.#sql = statements(file.db)
    for (const row of this.#sql.slots.iterate()) {
      const { stream, ...slot } = row as unknown as Slot & { stream: string }
      this.#queues.push(stream, slot)
      this.#bytes += slot.bytes
    }
    for (const row of this.#sql.marks.iterate()) {
      const { stream, sentTo, floor } = row as unknown as Mark & { stream: string }
      this.#marks.set(stream, { sentTo, floor })
    }
    for (const { bytes } of this.#sql.dead.iterate()) {
      this.#dead++
      this.#bytes += Number(bytes)
    }
    this.#nextSeq = Number(this.#sql.last.get()?.['seq'] ?? 0) + 1
  }

  /** Whether an event of this stream has to wait its turn behind others. */
  holds(stream: string): boolean {
    return this.#queues.holds(stream) || this.#waitingFor.has(stream)
  }

  /** How many events wait. */
  get size(): number {
    return this.#queues.size + this.#waiting.length
  }

  /** Streams with committed entries. */
  streams(): string[] {
    return this.#queues.streams()
  }

  state(): SpoolState {
    const entries = this.#queues.counts()
    return {
      entries,
      bytes: this.#bytes,
      maxBytes: this.#maxBytes,
      dead: this.#dead,
      oldestAt: this.#queues.oldestAt(),
    }
  }

  /**
   * Queues an event; resolves when it is on the disk.
   * @throws MeshError MESH_SPOOL_FULL | MESH_SPOOL_FAILED | MESH_CLOSED
   */
  add(stream: string, head: EntryHead, payload: Uint8Array): Promise<void> {
    if (this.#closed) return Promise.reject(new MeshError('MESH_CLOSED', `${stream}: the spool is closed`))
    const entry: Entry = { seq: this.#nextSeq, stream, head: JSON.stringify(head), payload }
    const bytes = sizeOf(entry)
    return new Promise((resolve, reject) => {
      if (this.#bytes + bytes > this.#maxBytes && !this.#makeRoom(bytes)) throw this.#full(stream)
      this.#nextSeq++
      this.#bytes += bytes
      this.#waitingFor.add(stream)
      this.#waiting.push({ entry, slot: { seq: entry.seq, bytes, queuedAt: head.queuedAt }, resolve, reject })
      // One that comes after a pause waits only for those of the same moment.
      const waitMs = Math.max(0, this.#committedAt + GROUP_MS - performance.now())
      this.#timer ??= setTimeout(() => this.#commit(), waitMs)
    })
  }

  /**
   * The first entries of a stream, at most `count` and, but for the first, `bytes`.
   * @throws MeshError MESH_SPOOL_FAILED when one is not what was written
   */
  first(stream: string, most: { count: number; bytes: number }): Entry[] {
    return this.#queues.first(stream, most).map(({ seq }) => this.#read(seq))
  }

  #read(seq: number): Entry {
    const what = `event ${seq} of the spool cannot be read, its file is damaged; a restart salvages what is whole`
    let row: (Entry & { sum: number }) | undefined
    try {
      row = this.#sql.one.get(seq) as typeof row
    } catch (cause) {
      throw failed(what, cause)
    }
    if (row === undefined) throw failed(what, new Error('it is not there'))
    const { sum, ...entry } = row
    if (checksum(entry) !== sum) throw failed(what, new Error('it is not what was written'))
    return entry
  }

  markOf(stream: string): Mark | undefined {
    return this.#marks.get(stream)
  }

  /**
   * Removes what is stored, and says what is sent next: one commit. Upholds S3 and S4.
   * @throws MeshError MESH_SPOOL_FAILED
   */
  settle(stream: string, stored: readonly number[], mark?: Mark): void {
    this.#transaction(() => {
      // Of its stream they are the first, so nothing else stands between them.
      if (stored.length > 0) this.#sql.removeAll.run(stream, stored[0]!, stored.at(-1)!)
      if (mark) this.#sql.mark.run(stream, mark.sentTo, mark.floor)
    })
    if (mark) this.#marks.set(stream, mark)
    this.#bytes -= this.#queues.remove(stream, new Set(stored))
  }

  /** Gives an entry up. @throws MeshError MESH_SPOOL_FAILED */
  bury(entry: Entry, death: Death): void {
    const { seq, stream, head, payload } = entry
    this.#transaction(() => {
      this.#sql.bury.run(seq, stream, head, payload, checksum(entry), death.code, death.reason, death.at)
      this.#sql.remove.run(seq)
    })
    // What it takes of the file stays the same.
    this.#queues.remove(stream, new Set([seq]))
    this.#dead++
    this.onDead()
  }

  /** One of the dead nobody was told of yet. */
  untold(): DeadEntry | undefined {
    const row = this.#sql.untold.get() as (Entry & Death) | undefined
    if (row === undefined) return undefined
    const { code, reason, at, ...entry } = row
    return { ...entry, death: { code, reason, at } }
  }

  /** The letter of a dead entry is stored. @throws MeshError MESH_SPOOL_FAILED */
  told(seq: number, letter: LetterState): void {
    this.#transaction(() => this.#sql.told.run(letter, seq))
  }

  /** Writes what waits, and lets the file go. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    if (this.#timer) this.#commit()
    this.#file.close()
  }

  /** Upholds S1. */
  #commit(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const group = this.#waiting
    this.#waiting = []
    this.#waitingFor = new Set()
    this.#committedAt = performance.now()
    try {
      this.#transaction(() => {
        for (const { entry } of group) {
          const { seq, stream, head, payload } = entry
          this.#sql.insert.run(seq, stream, head, payload, checksum(entry))
        }
      })
    } catch (error) {
      for (const { slot, reject } of group) {
        this.#bytes -= slot.bytes
        reject(error as Error)
      }
      return
    }
    for (const { entry, slot, resolve } of group) {
      this.#queues.push(entry.stream, slot)
      resolve()
    }
    for (const stream of new Set(group.map(({ entry }) => entry.stream))) this.onAdded(stream)
  }

  #transaction(work: () => void): void {
    try {
      this.#db.exec('BEGIN IMMEDIATE')
      work()
      this.#db.exec('COMMIT')
    } catch (cause) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw failed('the file of the spool could not be written; nothing was changed', cause)
    }
  }

  /** Dead ones whose letters hold all of them give way, the oldest first. */
  #makeRoom(bytes: number): boolean {
    const gone: number[] = []
    let freed = 0
    for (const row of this.#sql.dead.iterate()) {
      if (this.#bytes - freed + bytes <= this.#maxBytes) break
      // Without its payload a letter is not all that is left of the event.
      if (row['told'] !== LETTER.whole) continue
      gone.push(Number(row['seq']))
      freed += Number(row['bytes'])
    }
    if (this.#bytes - freed + bytes > this.#maxBytes) return false
    this.#transaction(() => {
      for (const seq of gone) this.#sql.exhume.run(seq)
    })
    this.#log.warn({ dead: gone.length }, 'the spool is full: dead events whose letters are stored made room')
    this.#dead -= gone.length
    this.#bytes -= freed
    return true
  }

  #full(stream: string): MeshError {
    return new MeshError(
      'MESH_SPOOL_FULL',
      `an event of ${stream} was not queued: the spool has ${this.#bytes} of ${this.#maxBytes} bytes (${this.size} queued, ${this.#dead} dead); nothing was stored. Try again later, or raise maxBytes`,
    )
  }
}

function failed(what: string, cause: unknown): MeshError {
  const isFull = resultCode(cause) === SQLITE.full
  const why = isFull ? 'the disk has no room' : (cause as Error).message
  return new MeshError('MESH_SPOOL_FAILED', `${what}: ${why}`, { cause })
}
