/**
 * Sends the messages of a run to their handlers, and counts what becomes of them.
 *
 * R1  What a run has done stands in its entry of the bucket and in the records about its messages, nowhere else: killed at any
 *     moment, another runner goes on from there. A message that is sent a second time loses its claim.
 * R2  Each write of the entry expects the one before it; who finds another runner's there stops at once.
 * R3  Outcomes are counted from records alone: how far they were read is written together with them.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Mesh } from '@malha/mesh'
import { OperationsError } from '../errors.ts'
import { isOver, NO_COUNTS, type Run, type RunCounts, underWay } from './run.ts'
import type { RunStore, StoredRun } from './run-store.ts'
import { KeyTokens } from './key-tokens.ts'
import { sendInOrder } from './send-in-order.ts'
import { type Counted, type RunSource, type Slice, SourceAway, type Turn } from './source.ts'

export type RunnerOptions = {
  /** Lets go of it: it stays `running` for another runner. */
  signal?: AbortSignal
  /** Called whenever there is something new, several times a second at most. */
  onProgress?: (run: Run) => void
}

export type RunnerDeps = { mesh: Mesh; store: RunStore; source: RunSource }

const LOOK_MS = 50
const SAVE_MS = 500
/** How long a server may not answer: an election takes seconds, a restart more. */
const PATIENCE_MS = 60_000
const AGAIN_MS = 500
/** Messages of one turn: read, sent and answered side by side. Those of the next are read while servers store the ones before. */
const MOST_AT_ONCE = 1000
/** Fewer are not worth a turn of their own. */
const LEAST_AT_ONCE = 100
/** What a pause in sending may be made up for by, of a second's messages. */
const BURST = 0.25
/** How many letters that are gone a run names. */
const MOST_NAMED = 1000

export class Runner {
  readonly #deps: RunnerDeps
  readonly #options: RunnerOptions
  readonly #gone: Set<number>
  readonly #keys: KeyTokens
  #stored: StoredRun
  #counts: RunCounts
  #withheld: Readonly<Record<string, number>>
  #cursor: number
  #followed: number
  #waits: string | null = null
  #asksAgainAt = 0
  #savedAt = 0
  /** The last turn sent as many as it might: the next one need not wait. */
  #isBehind = false
  /** What became of messages was read while the last turn was stored. */
  #hasFollowed = false
  /** What comes behind `after`, as it is being read. Once read it is sent, or read again: what is known of it stays true. */
  #ahead: { after: number; limit: number; slice: Promise<Slice> } | undefined
  #tokens = 0
  #tokensAt = performance.now()

  constructor(deps: RunnerDeps, stored: StoredRun, options: RunnerOptions) {
    this.#deps = deps
    this.#options = options
    this.#keys = new KeyTokens(deps.mesh)
    this.#stored = stored
    const { run } = stored
    this.#gone = new Set(run.kind === 'redrive' ? run.gone : [])
    this.#withheld = run.kind === 'replay' ? run.withheld : {}
    this.#counts = { ...NO_COUNTS, ...run.counts }
    this.#cursor = run.cursor
    this.#followed = run.followed
  }

  /**
   * Resolves with the run when it is over, or `signal` aborts. A server that does not answer is asked again for a minute; what
   * the messages are read from for as long as it takes.
   * @throws OperationsError OPERATIONS_RUN_TAKEN; what the server said, or did not say, for a minute
   */
  async work(): Promise<Run> {
    let isKnown = false
    for (let failingSince: number | undefined; ;) {
      try {
        if (!isKnown) await this.#deps.source.reopen(this.#cursor)
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
    if (!this.#isBehind || !this.#hasFollowed) await this.#follow()
    this.#hasFollowed = false
    this.#isBehind = false
    const isTooMuch = this.#counts.failed >= this.#run.limits.mostFailures
    const isFinished = !isTooMuch && (await this.#mayMove()) && (await this.#sendSome())
    const { state } = this.#run
    if (isFinished && underWay(this.#counts) === 0) {
      this.#countRemoved()
      await this.#save('done')
    } else if (isTooMuch) await this.#save('stopped')
    else if (isOver({ state }) || this.#options.signal?.aborted) await this.#save(state)
    else return false
    return true
  }

  get #run(): Run {
    return this.#stored.run
  }

  /** Upholds R3. */
  async #follow(): Promise<void> {
    // Batch by batch: a server that falls silent between two must not have the first counted again.
    await this.#deps.source.follow(this.#followed, (counted, until) => {
      for (const one of counted) this.#count(one)
      this.#followed = until
    })
  }

  #count({ what, withheld = {} }: Counted): void {
    this.#add(what, 1)
    for (const [type, count] of Object.entries(withheld))
      this.#withheld = { ...this.#withheld, [type]: (this.#withheld[type] ?? 0) + count }
  }

  #add(what: keyof RunCounts, count: number): void {
    this.#counts = { ...this.#counts, [what]: this.#counts[what] + count }
  }

  /** What somebody removed before its turn had none: it is what is left of the snapshot. */
  #countRemoved(): void {
    const { kind, total } = this.#run
    const { sent, skipped, gone } = this.#counts
    if (kind === 'redrive') this.#add('gone', Math.max(0, total - sent - skipped - gone))
  }

  /** Writes how far it is, and hears what others want of it. */
  async #mayMove(): Promise<boolean> {
    if (performance.now() - this.#savedAt > SAVE_MS) await this.#save(this.#run.state)
    return this.#run.state === 'running'
  }

  /** Upholds R2. */
  async #save(state: Run['state']): Promise<void> {
    const { store } = this.#deps
    for (let wanted = state; ;) {
      const written = await store.write(this.#asOfNow(wanted), this.#stored.revision)
      if (written) {
        this.#stored = written
        break
      }
      const found = await store.find(this.#run.id)
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

  #asOfNow(state: Run['state']): Run {
    const run = this.#run
    const progress = { state, counts: this.#counts, cursor: this.#cursor, followed: this.#followed, waits: this.#waits }
    return run.kind === 'redrive'
      ? { ...run, ...progress, gone: [...this.#gone] }
      : { ...run, ...progress, withheld: this.#withheld }
  }

  /** True when every message had its turn. */
  async #sendSome(): Promise<boolean> {
    const { source } = this.#deps
    const { upTo, limits } = this.#run
    const room = Math.min(this.#allowed(), limits.atOnce - underWay(this.#counts), MOST_AT_ONCE)
    const hasMore = this.#cursor < upTo
    this.#isBehind = hasMore && room >= LEAST_AT_ONCE
    if (!hasMore || room < 1 || performance.now() < this.#asksAgainAt) return !hasMore
    const ahead = this.#ahead?.after === this.#cursor ? this.#ahead : undefined
    if (ahead && ahead.limit > room) return false
    try {
      this.#ahead = undefined
      const slice = await (ahead?.slice ?? source.next(this.#cursor, room))
      this.#waits = null
      if (this.#isBehind && slice.until < upTo) this.#readAhead(slice.until, room)
      await this.#takeAndFollow(slice)
    } catch (error) {
      if (!(error instanceof SourceAway)) throw error
      this.#wait(error.message)
    }
    // The next look tells what became of them.
    return false
  }

  #readAhead(after: number, room: number): void {
    const limit = Math.min(room, Math.ceil(this.#run.limits.atOnce / 2))
    const slice = this.#deps.source.next(after, limit)
    // Whoever awaits it hears of that.
    slice.catch(() => undefined)
    this.#ahead = { after, limit, slice }
  }

  /** What became of those before is read while the servers store these; what is stored is, whether or not that could be read. */
  async #takeAndFollow(slice: Slice): Promise<void> {
    const both = await Promise.allSettled([this.#take(slice), this.#follow()])
    for (const one of both) if (one.status === 'rejected') throw one.reason
    this.#hasFollowed = true
  }

  async #take({ turns, until }: Slice): Promise<void> {
    const { mesh } = this.#deps
    const toSend = turns.filter((turn) => turn.kind === 'send')
    const messages = await Promise.all(
      toSend.map(async ({ message, payload }) => ({ message: await this.#keys.withToken(message), payload })),
    )
    await sendInOrder(mesh, messages)
    this.#tokens -= toSend.length
    const ofKind = (kind: Turn['kind']): number => turns.filter((turn) => turn.kind === kind).length
    this.#add('sent', toSend.length + ofKind('sent'))
    this.#add('skipped', ofKind('skipped'))
    for (const turn of turns) if (turn.kind === 'gone' && this.#gone.size < MOST_NAMED) this.#gone.add(turn.seq)
    this.#cursor = until
  }

  /** Nothing is lost by it: the run goes on where it is when it comes back. */
  #wait(why: string): void {
    if (this.#waits === null) this.#deps.mesh.log.warn({ run: this.#run.id, why }, 'a run waits for what it reads from')
    this.#waits = why
    this.#isBehind = false
    this.#asksAgainAt = performance.now() + AGAIN_MS
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
