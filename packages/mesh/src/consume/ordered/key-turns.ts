import { setTimeout as sleep } from 'node:timers/promises'
import { LONGEST_TIMER_MS } from '../../given.ts'
import type { Logger } from '../../observe/logger.ts'
import type { Delivery } from '../delivery.ts'
import type { Claim } from './claim.ts'
import type { KeyLine, KeyLines } from './key-lines.ts'
import { firstOf, type Slice, subjectOf } from './slice.ts'
import { storedDelivery } from './stored-delivery.ts'

export type Line = KeyLine<Delivery>

export type KeyTurnsOptions = {
  lines: KeyLines<Delivery>
  slice: Slice
  claim: Claim
  log: Logger
  /** The first of a line may begin. */
  onReady: (line: Line) => void
  /** One of those that were left in the stream is here. */
  onRead: () => void
}

const AGAIN_MS = 250

/** Has each key go on when its turn comes: when its retry is due, and with what was left of it in the stream. */
export class KeyTurns {
  readonly #options: KeyTurnsOptions
  readonly #timers = new Map<Line, { timer: NodeJS.Timeout; dueAt: number }>()
  #isOver = false

  constructor(options: KeyTurnsOptions) {
    this.#options = options
  }

  /** With what a record said; or after a message of a run, with what it waited for before. */
  resume(line: Line): void {
    const { retry } = line
    if (this.#turnToSent(line)) return
    if (retry) this.wait(line, Math.min(retry.delayMs, Math.max(0, retry.dueAt - Date.now())))
    else this.goOn(line)
  }

  /** The one before is settled, and the record says so. */
  goOn(line: Line): void {
    line.phase = 'idle'
    if (this.#isOver || this.#turnToSent(line)) return
    if (line.behind) line.phase = 'held'
    else if (line.items.length > 0) this.ready(line)
    else if (line.leftUpTo > 0) void this.#load(line)
    else this.#options.lines.drop(line)
  }

  /** A message of a run came for it: what runs, or is about to, comes to its end before; what waits for a retry waits on. */
  hear(line: Line): void {
    if (this.#isOver || line.current || (line.phase !== 'idle' && line.phase !== 'held')) return
    if (!this.#turnToSent(line)) return
    clearTimeout(this.#timers.get(line)?.timer)
    this.#timers.delete(line)
  }

  /** Finds out which of the events of a key that is held is the first one in the stream. Never throws. */
  async locate(line: Line): Promise<void> {
    const { lines, slice, claim, log } = this.#options
    const { from, leftUpTo: upTo } = line
    if (upTo === 0 || this.#isOver) return
    try {
      const first = await firstOf({ ...slice, filter: subjectOf(line.token, slice.filter) }, { from, upTo })
      lines.located(line, first?.seq ?? 0, upTo)
    } catch (error) {
      log.debug({ partition: claim.partition, err: error }, 'the first event of a held key was not read; again')
    }
  }

  ready(line: Line): void {
    line.phase = 'ready'
    if (!this.#isOver) this.#options.onReady(line)
  }

  /** In place of what it waited for before. */
  wait(line: Line, delayMs: number): void {
    line.phase = 'held'
    clearTimeout(this.#timers.get(line)?.timer)
    if (this.#isOver) return
    const timer = setTimeout(() => this.#onDue(line), Math.min(Math.max(0, delayMs), LONGEST_TIMER_MS))
    this.#timers.set(line, { timer, dueAt: performance.now() + delayMs })
  }

  /** Makes the first `most` that wait due over `rampMs`, none later than it would have been. Returns whether there was any. */
  hasten(rampMs: number, most: number): boolean {
    const waiting = [...this.#timers].slice(0, most)
    for (const [index, [line, { dueAt }]] of waiting.entries())
      this.wait(line, Math.min(dueAt - performance.now(), (rampMs * index) / waiting.length))
    return waiting.length > 0
  }

  stop(): void {
    this.#isOver = true
    for (const { timer } of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
  }

  #onDue(line: Line): void {
    this.#timers.delete(line)
    if (line.current || line.items.length > 0) this.ready(line)
    else void this.#load(line)
  }

  #turnToSent(line: Line): boolean {
    if (this.#isOver || !this.#options.lines.turnToSent(line)) return false
    this.ready(line)
    return true
  }

  /** Reads the next event of a key that was left in the stream. Never throws. */
  async #load(line: Line): Promise<void> {
    const { lines, slice, claim, log, onRead } = this.#options
    const filter = subjectOf(line.token, slice.filter)
    line.phase = 'loading'
    while (!this.#isOver) {
      const { leftUpTo, from } = line
      try {
        const stored = await firstOf({ ...slice, filter }, { from, upTo: leftUpTo })
        if (this.#isOver) return
        const retry = stored?.seq === from ? line.retry : undefined
        const next = stored && { seq: stored.seq, item: storedDelivery(stored, { ...slice, retry, claim }) }
        if (!lines.loaded(line, next, leftUpTo)) continue
        onRead()
        this.goOn(line)
        return
      } catch (error) {
        log.debug({ partition: claim.partition, err: error }, 'the next event of a key was not read; again')
        await sleep(AGAIN_MS, undefined, { ref: false })
      }
    }
  }
}
