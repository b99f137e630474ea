/**
 * Empties a spool when the broker is back: a loop a stream.
 *
 * D1  Of one stream one event, or one atomic batch, is on the wire at a time, in the order of the spool: what is to come again
 *     holds the others back, so that none overtakes it. It is the probe, too.
 * D2  Whatever may have been sent before is looked up first.
 * D3  What is refused for good is given up, and the rest goes on. A batch that is refused goes one by one.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../../observe/logger.ts'
import { type Entry, readHead } from './entry.ts'
import type { Fate } from './fate.ts'
import type { Heard, Line } from './line.ts'
import { sendOne, sendTogether } from './send.ts'
import { lastSequence } from './lookup.ts'
import type { Mark, Spool } from './spool.ts'

export type DrainerDeps = { spool: Spool; line: () => Line | undefined; heard: Heard; log: Logger }

/** Entries a commit, and bytes: what a crash makes look up again. */
const BATCH = 256
const BATCH_BYTES = 2 ** 20
const MIN_WAIT_MS = 250
const MAX_WAIT_MS = 5000
const EMPTY_LOOK_MS = 50

export class Drainer {
  readonly #deps: DrainerDeps
  readonly #loops = new Map<string, Promise<void>>()
  readonly #stopping = new AbortController()
  #awake = Promise.withResolvers<void>()

  constructor(deps: DrainerDeps) {
    this.#deps = deps
  }

  /** Looks for what there is to send: called when something was queued, and when the connection is there. */
  wake(): void {
    this.#awake.resolve()
    this.#awake = Promise.withResolvers()
    if (this.#stopping.signal.aborted) return
    for (const stream of this.#deps.spool.streams()) {
      if (this.#loops.has(stream)) continue
      const loop = this.#drain(stream).finally(() => this.#loops.delete(stream))
      this.#loops.set(stream, loop)
    }
  }

  /** Waits until nothing of the stream is queued; false when `signal` comes first. */
  async emptied(stream: string, signal: AbortSignal): Promise<boolean> {
    while (this.#deps.spool.holds(stream) && !signal.aborted) await this.#pause(EMPTY_LOOK_MS, signal)
    return !this.#deps.spool.holds(stream)
  }

  /** Sends no more; resolves when what is on the wire has its answer. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#awake.resolve()
    await Promise.all(this.#loops.values())
  }

  async #drain(stream: string): Promise<void> {
    const { spool, log, line } = this.#deps
    const { signal } = this.#stopping
    const started = Date.now()
    let count = 0
    let waitMs = MIN_WAIT_MS
    log.warn({ stream }, 'events of this stream are queued in the spool: the broker does not take them')
    while (!signal.aborted && spool.streams().includes(stream)) {
      const current = line()
      if (!current?.connection.isUp()) {
        await Promise.race([this.#awake.promise, this.#pause(MAX_WAIT_MS, signal)])
        continue
      }
      const outcome = await this.#batch(current, stream)
      count += outcome.gone
      if (outcome.gone > 0) waitMs = MIN_WAIT_MS
      if (outcome.error === undefined) continue
      log.warn({ stream, err: outcome.error }, 'the broker does not take the next event of the spool yet')
      await this.#pause(waitMs, signal)
      waitMs = Math.min(waitMs * 2, MAX_WAIT_MS)
    }
    if (!signal.aborted)
      log.info({ stream, count, ms: Date.now() - started }, 'nothing of this stream is queued any more')
  }

  /** How many entries left the spool; `error` when one has to come again. Never throws. */
  async #batch(line: Line, stream: string): Promise<{ gone: number; error?: unknown }> {
    const { spool, log } = this.#deps
    let gone = 0
    const stored: number[] = []
    try {
      const entries = spool.first(stream, { count: BATCH, bytes: BATCH_BYTES })
      const before = spool.markOf(stream)
      spool.settle(stream, [], await this.#nextMark(line, stream, entries))
      for (const group of groupsOf(entries, before)) {
        if (this.#stopping.signal.aborted) break
        for await (const { entry, fate } of this.#fates(line, group, before)) {
          if (fate.kind === 'again') return { gone, error: fate.error }
          gone++
          if (fate.kind === 'stored') stored.push(entry.seq)
          else this.#bury(entry, { fate, stored: stored.splice(0) })
        }
      }
      return { gone }
    } catch (error) {
      return { gone, error }
    } finally {
      try {
        spool.settle(stream, stored)
      } catch (error) {
        // They are stored; at worst they are looked up again.
        log.error({ stream, err: error }, 'the spool could not forget what is stored')
      }
    }
  }

  #bury(entry: Entry, { fate, stored }: { fate: Fate & { kind: 'dead' }; stored: number[] }): void {
    const { spool, log } = this.#deps
    const { stream } = entry
    spool.settle(stream, stored)
    spool.bury(entry, fate.death)
    const { id, type } = readHead(entry).out.envelope
    log.error(
      { stream, messageId: id, type, code: fate.death.code },
      `a spooled event was given up: ${fate.death.reason}`,
    )
  }

  /** Of a group that goes together, or else of each. Upholds D1 to D3. */
  async *#fates(
    { publisher }: Line,
    group: readonly Entry[],
    before: Mark | undefined,
  ): AsyncGenerator<{ entry: Entry; fate: Fate }> {
    const { heard } = this.#deps
    const note = (entry: Entry, fate: Fate): { entry: Entry; fate: Fate } => {
      if (fate.kind === 'stored') heard.note(entry.stream, fate.seq)
      return { entry, fate }
    }
    const together = group.length > 1 ? await sendTogether(publisher, group) : undefined
    for (const entry of group) {
      if (!together && this.#stopping.signal.aborted) return
      yield note(entry, together ?? (await sendOne(publisher, entry, sentAfter(entry, before))))
    }
  }

  /** Upholds S4. What is left of an earlier mark keeps its floor. */
  async #nextMark({ publisher }: Line, stream: string, entries: readonly Entry[]): Promise<Mark> {
    const { spool, heard } = this.#deps
    const before = spool.markOf(stream)
    const sentTo = Math.max(entries.at(-1)!.seq, before?.sentTo ?? 0)
    if (before && entries[0]!.seq <= before.sentTo) return { sentTo, floor: before.floor }
    const floor = heard.of(stream) ?? (await lastSequence(publisher, stream))
    return { sentTo, floor }
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined)
  }
}

/** The sequence behind which an entry stands if it was sent before; undefined when it never was. */
function sentAfter(entry: Entry, before: Mark | undefined): number | undefined {
  const marked = before && entry.seq <= before.sentTo ? before.floor : undefined
  const { sentAfter: queued } = readHead(entry)
  return queued === undefined ? marked : Math.min(queued, marked ?? Infinity)
}

/** What may go together: neighbours that were never sent, no id twice. The rest one by one. */
function groupsOf(entries: readonly Entry[], before: Mark | undefined): Entry[][] {
  const groups: Entry[][] = []
  let ids: Set<string> | undefined
  for (const entry of entries) {
    const { id } = readHead(entry).out.envelope
    const isFresh = sentAfter(entry, before) === undefined
    if (isFresh && ids && !ids.has(id)) groups.at(-1)!.push(entry)
    else groups.push([entry])
    ids = isFresh ? (groups.at(-1)!.length === 1 ? new Set([id]) : ids!.add(id)) : undefined
  }
  return groups
}
