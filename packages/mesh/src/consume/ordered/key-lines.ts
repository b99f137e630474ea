/**
 * The events of one partition that are not settled, a line a key. Pure: it only keeps account, so that it can be tested
 * with any order of things.
 *
 * K1  Of a line, the events in memory are the first ones that are not settled, in stream order. Those behind them may be
 *     left in the stream (`leftUpTo`); as long as there are such, no newer event is added to the memory.
 * K2  At most one event of a key is being worked on, or settled without the record saying so yet.
 * K3  `snapshot()` tells exactly the unsettled events up to `read`: whoever begins with it misses none and repeats only
 *     what was begun and not written down.
 * K4  What a record speaks of is begun only once all up to its `read` was seen again (`isRestored`).
 * K5  What a record says of one event never needs that event: behind one in `running` there is none of its key, and a key
 *     with more is in `open`. So an event that is gone from the stream leaves no doubt about others.
 * K6  A message that a run sent has its turn before the events that wait. While a key is held behind a dead letter no event of it
 *     has one, and of these messages only what is not from behind that letter's.
 */
import type { HeldKey, KeptRetry, OpenKey } from './partition-record.ts'
import { inOrder, isLater, type SentMessage } from './sent-message.ts'

export type Phase = 'idle' | 'ready' | 'running' | 'settling' | 'held' | 'loading' | 'stuck'

/** One key's line. */
export type KeyLine<Item> = {
  readonly token: string
  phase: Phase
  readonly items: { readonly seq: number; readonly item: Item }[]
  /** Events of this key behind those in memory are in the stream, up to here; 0 when there are none. */
  leftUpTo: number
  /** Everything of this key below is settled. */
  from: number
  retry: KeptRetry | undefined
  /** What runs sent, first the one that is next. */
  readonly sent: SentMessage[]
  /** The one of these whose turn it is. */
  current: SentMessage | undefined
  /** The dead letter that holds it. Then `leftUpTo` is 0, or `from` is the first event that waits. */
  behind: HeldKey['behind'] | undefined
}

export type Progress = {
  read: number
  running: readonly number[]
  open: readonly OpenKey[]
  /** @default none */
  held?: readonly HeldKey[]
}

/** What became of an event that arrived. `left` and `settled` ones need not stay in memory. */
export type Arrival<Item> = { kind: 'kept'; line: KeyLine<Item> } | { kind: 'left' } | { kind: 'settled' }

export class KeyLines<Item> {
  readonly #lines = new Map<string, KeyLine<Item>>()
  readonly #waiting = new Set<KeyLine<Item>>()
  readonly #mostPerKey: number
  /** First events of keys that were being worked on, not yet seen again. */
  readonly #unseen: Set<number>
  /** Up to here the record knows what is settled. */
  readonly #known: number
  #at: number

  /** `mostPerKey` events of one key stay in memory. */
  constructor(begin: Progress, mostPerKey: number) {
    this.#mostPerKey = mostPerKey
    this.#known = begin.read
    this.#unseen = new Set(begin.running)
    this.#at = begin.running[0] === undefined ? begin.read : Math.min(begin.read, begin.running[0] - 1)
    for (const { from, token, retry } of begin.open)
      this.#note(this.#line(token, { leftUpTo: begin.read, from, retry }))
    for (const { token, behind } of begin.held ?? []) {
      const line = this.#lines.get(token) ?? this.#line(token, { leftUpTo: 0, from: begin.read + 1, retry: undefined })
      line.behind = behind
      this.#note(line)
    }
  }

  /** The last event seen; the next one to ask the stream for comes after it. */
  get position(): number {
    return this.#at
  }

  get isRestored(): boolean {
    return this.#at >= this.#known
  }

  get lines(): Iterable<KeyLine<Item>> {
    return this.#lines.values()
  }

  get size(): number {
    return this.#lines.size
  }

  /** Lines that wait for a retry or have left events in the stream: however many, they take no room here but in the record. */
  get waiting(): ReadonlySet<KeyLine<Item>> {
    return this.#waiting
  }

  /** The next event in stream order. */
  add(token: string, seq: number, item: Item): Arrival<Item> {
    this.#goneBelow(seq)
    this.#at = Math.max(this.#at, seq)
    const wasOpen = this.#unseen.delete(seq)
    let line = this.#lines.get(token)
    if (!line) {
      if (seq <= this.#known && !wasOpen) return { kind: 'settled' }
      line = this.#line(token, { leftUpTo: 0, from: seq, retry: undefined })
    }
    if (seq < line.from) return { kind: 'settled' }
    if (line.leftUpTo > 0 || line.items.length >= this.#mostPerKey || waitsLong(line)) {
      if (line.behind && line.leftUpTo === 0) line.from = seq
      line.leftUpTo = Math.max(line.leftUpTo, seq)
      this.#note(line)
      return { kind: 'left' }
    }
    line.items.push({ seq, item })
    return { kind: 'kept', line }
  }

  /** Up to there the stream has nothing that was not seen. */
  advance(to: number): void {
    if (this.isRestored) this.#at = Math.max(this.#at, to)
  }

  /** The stream has nothing more up to the record's `read`. */
  endRestore(): void {
    this.#goneBelow(this.#known + 1)
    this.#at = Math.max(this.#at, this.#known)
  }

  /** The first of a line waits for a retry. Only it stays in memory; returns the others. */
  hold(line: KeyLine<Item>, retry: KeptRetry): Item[] {
    line.retry = retry
    line.phase = 'held'
    return this.trim(line)
  }

  /**
   * The first of a line is settled, by its letter, and the key is held behind that. None stays in memory; returns those that did.
   * Where events of it were in the stream before, which is the first of them is to be `located`.
   */
  holdBehind(line: KeyLine<Item>, behind: HeldKey['behind']): Item[] {
    this.settleHead(line)
    line.behind = behind
    line.phase = 'held'
    if (line.items[0]) line.from = line.items[0].seq
    return this.trim(line, 0)
  }

  /** Of a key that is held: its first event from `from` up to `askedUpTo`, which `leftUpTo` was then; 0: there is none. */
  located(line: KeyLine<Item>, first: number, askedUpTo: number): void {
    if (!line.behind) return
    if (first > 0) line.from = Math.max(line.from, first)
    else if (line.leftUpTo <= askedUpTo) line.leftUpTo = 0
    else line.from = Math.max(line.from, askedUpTo + 1)
    this.#note(line)
  }

  /** Its letter does not hold it any more. */
  release(line: KeyLine<Item>): void {
    line.behind = undefined
    this.#note(line)
  }

  /** A message of a run waits for its turn with this key; not before all is restored. */
  send(token: string, message: SentMessage): KeyLine<Item> {
    const line = this.#lines.get(token) ?? this.#line(token, { leftUpTo: 0, from: this.#at + 1, retry: undefined })
    const at = line.sent.findIndex((other) => other !== line.current && inOrder(message, other) < 0)
    line.sent.splice(at === -1 ? line.sent.length : at, 0, message)
    return line
  }

  /** Upholds K6: gives the next message of a run its turn. Returns whether there is one. */
  turnToSent(line: KeyLine<Item>): boolean {
    const { behind } = line
    line.current ??= line.sent.find((message) => !behind || !isLater(message, behind))
    return line.current !== undefined
  }

  /** The message of a run whose turn it was is done with. */
  endTurn(line: KeyLine<Item>): void {
    if (line.current) line.sent.splice(line.sent.indexOf(line.current), 1)
    line.current = undefined
  }

  /** Keeps only the first of a line in memory; returns the others. */
  trim(line: KeyLine<Item>, most: number = 1): Item[] {
    const rest = line.items.splice(most)
    const last = rest.at(-1)
    if (last) line.leftUpTo = Math.max(line.leftUpTo, last.seq)
    this.#note(line)
    return rest.map(({ item }) => item)
  }

  /** The first of a line is done. */
  settleHead(line: KeyLine<Item>): void {
    const head = line.items.shift()
    if (head) line.from = head.seq + 1
    line.retry = undefined
    line.phase = 'settling'
    this.#note(line)
  }

  /**
   * What the stream gave as the next of a line that has left some there, up to `askedUpTo`, which `leftUpTo` was then.
   * @returns false when it must be asked again: an event was left there since
   */
  loaded(line: KeyLine<Item>, next: { seq: number; item: Item } | undefined, askedUpTo: number): boolean {
    // What is known of attempts is known of the one that failed, which may have aged out.
    if (next?.seq !== line.from) line.retry = undefined
    if (next) line.items.push(next)
    if ((next?.seq ?? askedUpTo) >= line.leftUpTo) line.leftUpTo = 0
    this.#note(line)
    return next !== undefined || line.leftUpTo === 0
  }

  /** Forgets a line that has nothing left. */
  drop(line: KeyLine<Item>): void {
    const isEmpty = line.items.length === 0 && line.sent.length === 0
    if (isEmpty && line.leftUpTo === 0 && !line.behind) this.#lines.delete(line.token)
  }

  snapshot(): Progress {
    const running = [...this.#unseen]
    const open: OpenKey[] = []
    const held: HeldKey[] = []
    for (const { token, phase, items, leftUpTo, from, retry, behind } of this.#lines.values()) {
      const first = items[0]
      if (behind) held.push({ token, behind })
      if (!first && leftUpTo === 0) continue
      // Upholds K5. Whoever goes on reads again from the first of these on, so what never ends is not among them.
      if (items.length === 1 && leftUpTo === 0 && !retry && phase !== 'stuck') running.push(first!.seq)
      else open.push({ from: first?.seq ?? from, token, ...(retry && { retry }) })
    }
    const read = Math.max(this.#at, this.#known)
    return { read, running: running.sort((a, b) => a - b), open, ...(held.length > 0 && { held }) }
  }

  #line(token: string, known: Pick<KeyLine<Item>, 'leftUpTo' | 'from' | 'retry'>): KeyLine<Item> {
    const unsent = { sent: [], current: undefined, behind: undefined }
    const line: KeyLine<Item> = { token, phase: 'idle', items: [], ...known, ...unsent }
    this.#lines.set(token, line)
    return line
  }

  #note(line: KeyLine<Item>): void {
    if (line.retry || line.leftUpTo > 0 || line.behind) this.#waiting.add(line)
    else this.#waiting.delete(line)
  }

  #goneBelow(seq: number): void {
    for (const missing of this.#unseen) if (missing < seq) this.#unseen.delete(missing)
  }
}

/** What comes behind it need not be in memory. */
const waitsLong = ({ phase, behind }: Pick<KeyLine<unknown>, 'phase' | 'behind'>): boolean =>
  phase === 'held' || phase === 'stuck' || behind !== undefined
