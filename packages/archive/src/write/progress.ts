import { reasonOf } from '../errors.ts'
import { type Row, seqOf } from '../message/row.ts'
import type { WriterDeps } from './deps.ts'
import type { Batch } from './row-buffer.ts'

/** What a writer is doing, as others may see it. */
export type WriterState =
  | { readonly kind: 'standby' }
  | { readonly kind: 'starting' }
  | { readonly kind: 'writing' }
  | { readonly kind: 'failing'; readonly since: number; readonly attempts: number; readonly reason: string }

/** Keeps the state of one writer, and turns what happens into metrics and log lines. */
export class Progress {
  readonly #deps: WriterDeps
  readonly #labels: { stream: string }
  #state: WriterState = { kind: 'standby' }
  #loggedAt = 0
  #oldest: () => string | undefined = () => undefined
  #epoch = 0
  #position: number | undefined
  /** What was sent to be stored, and whose answer is not known. */
  #inDoubt: { epoch: number; lastSeq: number; rows: number } | undefined

  constructor(deps: WriterDeps) {
    this.#deps = deps
    this.#labels = { stream: deps.stream }
  }

  get state(): WriterState {
    return this.#state
  }

  /** The last sequence known to be stored, and of which epoch; undefined before the first cursor was read. */
  get position(): { epoch: number; seq: number } | undefined {
    return this.#position === undefined ? undefined : { epoch: this.#epoch, seq: this.#position }
  }

  /** When JetStream stored the oldest event in hand. */
  get oldestPublishedAt(): string | undefined {
    return this.#oldest()
  }

  standby(): void {
    this.#state = { kind: 'standby' }
    this.#deps.metrics.writer.set(this.#labels, 0)
  }

  starting(): void {
    if (this.#state.kind !== 'failing') this.#state = { kind: 'starting' }
    this.#deps.metrics.writer.set(this.#labels, 1)
  }

  /** `cursor` is the last row in the table, of whoever wrote it. */
  startedAt(epoch: number, { position, cursor }: { position: number; cursor: number | undefined }): void {
    this.#recovered()
    // The answer to the last insert did not come, and now nobody waits for it: the table tells.
    const isStored = this.#inDoubt?.epoch === epoch && this.#inDoubt.lastSeq === cursor
    if (this.#inDoubt && isStored) this.#deps.metrics.rows.add(this.#labels, this.#inDoubt.rows)
    this.#inDoubt = undefined
    this.#epoch = epoch
    this.#position = position
    this.#deps.log.info({ stream: this.#deps.stream, epoch, position }, 'archive: writing from the cursor on')
  }

  waiting(oldest: () => string | undefined): void {
    this.#oldest = oldest
  }

  writing(batch: Batch): void {
    const [row] = batch.rows
    this.#oldest = () => row?.[12]
  }

  sending(rows: readonly Row[]): void {
    const last = rows.at(-1)
    this.#inDoubt = last && { epoch: this.#epoch, lastSeq: seqOf(last), rows: rows.length }
  }

  stored(rows: number): void {
    this.#recovered()
    this.#inDoubt = undefined
    this.#deps.metrics.rows.add(this.#labels, rows)
  }

  reached(seq: number, batchSeconds: number): void {
    this.#position = seq
    this.#deps.metrics.batchSeconds.observe(this.#labels, batchSeconds)
  }

  deadLetter(seq: number, error: unknown): void {
    this.#deps.metrics.deadLetters.add(this.#labels)
    this.#deps.log.error(
      { stream: this.#deps.stream, seq, reason: reasonOf(error) },
      'archive: ClickHouse can not read this event; it is kept in archive.dead_letters',
    )
  }

  failed(attempts: number, error: unknown): void {
    const since = this.#state.kind === 'failing' ? this.#state.since : Date.now()
    const reason = reasonOf(error)
    this.#state = { kind: 'failing', since, attempts, reason }
    this.#deps.metrics.retries.add(this.#labels)
    if (Date.now() - this.#loggedAt < LOG_EVERY_MS) return
    this.#loggedAt = Date.now()
    this.#deps.log.warn(
      { stream: this.#deps.stream, attempts, reason, since: new Date(since).toISOString() },
      'archive: not stored yet, trying again; the events wait in the stream',
    )
  }

  #recovered(): void {
    if (this.#state.kind === 'failing')
      this.#deps.log.info(
        { stream: this.#deps.stream, failedForMs: Date.now() - this.#state.since },
        'archive: storing again',
      )
    this.#state = { kind: 'writing' }
    this.#loggedAt = 0
  }
}

const LOG_EVERY_MS = 30_000
