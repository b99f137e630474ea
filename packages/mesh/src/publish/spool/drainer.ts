/**
 * Empties a spool when the broker is back: a loop a stream.
 *
 * D1  Of one stream one event is on the wire at a time, in the order of the spool: one that is to come again holds the others
 *     back, so that none overtakes it.
 * D2  Whatever may have been sent before is looked up first.
 * D3  What is refused for good is given up, and the rest goes on.
 * D4  Its own first event is the probe: while it is not stored, nothing else of the stream is sent.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { context, propagation, ROOT_CONTEXT } from '@opentelemetry/api'
import type { Logger } from '../../observe/logger.ts'
import { publishEvent } from '../publisher.ts'
import { getStored } from '../stored-message.ts'
import { type Entry, outgoingOf, readHead } from './entry.ts'
import { type Fate, fateOf } from './fate.ts'
import type { Heard, Line } from './line.ts'
import { isStored } from './lookup.ts'
import type { Mark, Spool } from './spool.ts'

export type DrainerDeps = { spool: Spool; line: () => Line | undefined; heard: Heard; log: Logger }

/** Entries a commit: what a crash makes look up again. */
const BATCH = 256
const SEND_MS = 5000
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
      const entries = spool.first(stream, BATCH)
      const before = spool.markOf(stream)
      spool.settle(stream, [], await this.#nextMark(line, stream, entries))
      for (const entry of entries) {
        if (this.#stopping.signal.aborted) break
        const fate = await this.#send(line, entry, before)
        if (fate.kind === 'again') return { gone, error: fate.error }
        gone++
        if (fate.kind === 'stored') stored.push(entry.seq)
        else {
          spool.settle(stream, stored.splice(0))
          spool.bury(entry, fate.death)
          const { id, type } = readHead(entry).out.envelope
          log.error(
            { stream, messageId: id, type, code: fate.death.code },
            `a spooled event was given up: ${fate.death.reason}`,
          )
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

  /** Upholds S4. What is left of an earlier mark keeps its floor. */
  async #nextMark({ publisher }: Line, stream: string, entries: readonly Entry[]): Promise<Mark> {
    const { spool, heard } = this.#deps
    const before = spool.markOf(stream)
    const sentTo = Math.max(entries.at(-1)!.seq, before?.sentTo ?? 0)
    if (before && entries[0]!.seq <= before.sentTo) return { sentTo, floor: before.floor }
    const floor = heard.of(stream) ?? (await getStored(publisher.nc, stream, { last_by_subj: '>' }))?.seq ?? 0
    return { sentTo, floor }
  }

  /** Upholds D2, in the trace the event was published in. */
  #send({ publisher }: Line, entry: Entry, before: Mark | undefined): Promise<Fate> {
    const head = readHead(entry)
    const out = outgoingOf(entry, head, SEND_MS)
    return context.with(propagation.extract(ROOT_CONTEXT, head.trace), async (): Promise<Fate> => {
      try {
        const marked = before && entry.seq <= before.sentTo ? before.floor : undefined
        const after = head.sentAfter === undefined ? marked : Math.min(head.sentAfter, marked ?? Infinity)
        // `once` is looked up by the server, with every send.
        if (after !== undefined && !out.once && (await isStored(publisher, out, after)))
          return { kind: 'stored', seq: 0 }
        const { seq } = await publishEvent(publisher, out)
        this.#deps.heard.note(entry.stream, seq)
        return { kind: 'stored', seq }
      } catch (error) {
        return await fateOf(error, publisher.nc, out)
      }
    })
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined)
  }
}
