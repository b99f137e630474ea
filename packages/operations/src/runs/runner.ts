/**
 * Sends the letters of a run to their handlers, and counts what becomes of them.
 *
 * R1  What a run has done stands in its entry of the bucket and in the records about its letters, nowhere else: killed at any
 *     moment, another runner goes on from there. A message that is sent a second time loses its claim.
 * R2  Each write of the entry expects the one before it; who finds another runner's there stops at once.
 * R3  `ok` and `failed` are counted from records alone: how far they were read is written together with them.
 * R4  What a letter is sent with is the last record known of it, and records are read on from before that: whoever else writes
 *     one is seen, and the letter counts as overtaken.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Mesh } from '@malha/mesh'
import type { KV } from '@nats-io/kv'
import { OperationsError } from '../errors.ts'
import { catchUp, type LetterRecord, readRecords } from '../letters/follow.ts'
import type { LetterIndex, ListedLetter } from '../letters/letter-index.ts'
import { isOver, readRun, type Run, type RunCounts, type StoredRun, writeRun } from './run.ts'
import { sendLetter } from './send.ts'

export type RunnerOptions = {
  /** Lets go of it: it stays `running` for another runner. */
  signal?: AbortSignal
  /** Called whenever there is something new, several times a second at most. */
  onProgress?: (run: Run) => void
}

export type RunnerDeps = { mesh: Mesh; index: LetterIndex; bucket: KV }

const LOOK_MS = 50
const SAVE_MS = 500
/** How long a server may not answer: an election takes seconds, a restart more. */
const PATIENCE_MS = 60_000
const AGAIN_MS = 500
/** Letters of one turn: read, sent and answered side by side. */
const MOST_AT_ONCE = 1000
/** Fewer are not worth a turn of their own. */
const LEAST_AT_ONCE = 100
/** What a pause in sending may be made up for by, of a second's messages. */
const BURST = 0.25

export class Runner {
  readonly #deps: RunnerDeps
  readonly #options: RunnerOptions
  /** Sent and without an outcome: letter by its subject, with the sequence of the record it was sent with. */
  readonly #open = new Map<string, number>()
  readonly #gone: Set<number>
  #stored: StoredRun
  #counts: RunCounts
  #cursor: number
  #followed: number
  #savedAt = 0
  /** The last turn sent as many as it might: the next one need not wait. */
  #isBehind = false
  #tokens = 0
  #tokensAt = performance.now()

  constructor(deps: RunnerDeps, stored: StoredRun, options: RunnerOptions) {
    this.#deps = deps
    this.#options = options
    this.#stored = stored
    const { counts, cursor, followed, gone } = stored.run
    this.#gone = new Set(gone)
    this.#counts = counts
    this.#cursor = cursor
    this.#followed = followed
  }

  /**
   * Resolves with the run when it is over, or `signal` aborts. A server that does not answer is asked again for a minute.
   * @throws OperationsError OPERATIONS_RUN_TAKEN; what the server said, or did not say, for a minute
   */
  async work(): Promise<Run> {
    let isKnown = false
    for (let failingSince: number | undefined; ;) {
      try {
        if (!isKnown) await this.#reopen()
        isKnown = true
        if (await this.#step()) return this.#run
        failingSince = undefined
      } catch (error) {
        failingSince ??= performance.now()
        const isLasting = error instanceof OperationsError || performance.now() - failingSince > PATIENCE_MS
        if (isLasting || this.#deps.mesh.nats.isClosed()) throw error
        this.#deps.mesh.log.warn({ run: this.#run.id, err: error }, 'a run waits for the server')
        await sleep(AGAIN_MS)
      }
      if (!this.#isBehind) await sleep(LOOK_MS)
    }
  }

  /** True when there is nothing more to do. */
  async #step(): Promise<boolean> {
    this.#isBehind = false
    await this.#follow()
    const isTooMuch = this.#counts.failed >= this.#run.limits.mostFailures
    const isFinished = !isTooMuch && (await this.#mayMove()) && (await this.#sendSome())
    const { state } = this.#run
    if (isFinished && this.#open.size === 0) await this.#save('done')
    else if (isTooMuch) await this.#save('stopped')
    else if (isOver({ state }) || this.#options.signal?.aborted) await this.#save(state)
    else return false
    return true
  }

  get #run(): Run {
    return this.#stored.run
  }

  /** Upholds R1: what a runner before this one had sent and not heard of. */
  async #reopen(): Promise<void> {
    const { id, filter } = this.#run
    await catchUp(this.#deps.mesh, this.#deps.index)
    for (let after = 0; ;) {
      const letters = this.#deps.index.onwards(filter, { after, upTo: this.#cursor, limit: 1000 })
      for (const letter of letters) {
        const isOurs = letter.run === id
        const isAway = isOurs ? letter.state === 'redriven' : letter.state === 'open' && this.#isToBeSent(letter)
        if (isAway && !this.#gone.has(letter.seq)) this.#open.set(letter.subject, letter.recordSeq)
      }
      if (letters.length === 0) return
      after = letters.at(-1)!.seq
    }
  }

  /** Upholds R3 and R4. */
  async #follow(): Promise<void> {
    const count = (what: keyof RunCounts): void => {
      this.#counts = { ...this.#counts, [what]: this.#counts[what] + 1 }
    }
    const onRecord = ({ letter, record, seq }: LetterRecord): void => {
      const sentWith = this.#open.get(letter)
      if ('run' in record && record.run === this.#run.id) {
        if (record.kind === 'claimed') return
        this.#open.delete(letter)
        count(record.kind)
      } else if (sentWith !== undefined && seq > sentWith) {
        this.#open.delete(letter)
        count('overtaken')
      }
    }
    // Batch by batch: a server that falls silent between two must not have the first counted again.
    await readRecords(this.#deps.mesh, this.#followed, (records, until) => {
      for (const one of records) onRecord(one)
      this.#followed = until
    })
  }

  /** Writes how far it is, and hears what others want of it. */
  async #mayMove(): Promise<boolean> {
    if (performance.now() - this.#savedAt > SAVE_MS) await this.#save(this.#run.state)
    return this.#run.state === 'running'
  }

  /** Upholds R2. */
  async #save(state: Run['state']): Promise<void> {
    const { bucket } = this.#deps
    const progress = { counts: this.#counts, cursor: this.#cursor, followed: this.#followed, gone: [...this.#gone] }
    for (let wanted = state; ;) {
      const written = await writeRun(bucket, { ...this.#run, ...progress, state: wanted }, this.#stored.revision)
      if (written) {
        this.#stored = written
        break
      }
      const found = await readRun(bucket, this.#run.id)
      if (!found || found.run.runner !== this.#run.runner)
        throw new OperationsError(
          'OPERATIONS_RUN_TAKEN',
          `run ${this.#run.id} has another runner now: ${found?.run.runner ?? 'it was removed'}`,
        )
      this.#stored = found
      // Somebody paused, resumed or cancelled it: that counts, unless it has come to its end here.
      if (wanted === state && !isOver({ state })) wanted = found.run.state
    }
    this.#savedAt = performance.now()
    this.#options.onProgress?.(this.#run)
  }

  /** True when every letter had its turn. */
  async #sendSome(): Promise<boolean> {
    const { mesh, index } = this.#deps
    const { filter, upTo, limits, id } = this.#run
    const room = Math.min(this.#allowed(), limits.atOnce - this.#open.size, MOST_AT_ONCE)
    const hasMore = this.#cursor < upTo
    this.#isBehind = hasMore && room >= LEAST_AT_ONCE
    if (!hasMore || room < 1) return !hasMore
    // What is known of the letters is what they are sent with.
    await catchUp(mesh, index)
    const letters = index.onwards(filter, { after: this.#cursor, upTo, limit: room })
    const done = await Promise.all(letters.map((letter) => this.#turnOf(letter, id)))
    this.#tokens -= done.filter((how) => how === 'sent').length
    for (const how of done) if (how) this.#counts = { ...this.#counts, [how]: this.#counts[how] + 1 }
    this.#cursor = letters.at(-1)?.seq ?? upTo
    return this.#cursor >= upTo
  }

  async #turnOf(letter: ListedLetter, id: string): Promise<'sent' | 'skipped' | 'gone'> {
    // A runner before this one sent it.
    if (letter.run === id) {
      if (letter.state === 'redriven') this.#open.set(letter.subject, letter.recordSeq)
      return 'sent'
    }
    if (letter.state !== 'open' || !this.#isToBeSent(letter)) return 'skipped'
    this.#open.set(letter.subject, letter.recordSeq)
    if (await sendLetter(this.#deps.mesh, id, letter)) return 'sent'
    this.#open.delete(letter.subject)
    this.#gone.add(letter.seq)
    return 'gone'
  }

  #isToBeSent({ kind, redrives }: ListedLetter): boolean {
    return kind === 'message' && redrives < this.#run.limits.mostRedrives
  }

  /** How many may be sent now. */
  #allowed(): number {
    const { perSecond } = this.#run.limits
    const now = performance.now()
    this.#tokens = Math.min(this.#tokens + ((now - this.#tokensAt) / 1000) * perSecond, Math.max(1, perSecond * BURST))
    this.#tokensAt = now
    return Math.floor(this.#tokens)
  }
}
