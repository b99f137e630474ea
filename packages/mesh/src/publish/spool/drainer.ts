/**
 * Empties a spool when the broker is back: a loop a stream.
 *
 * D1  Of one stream one event, or one atomic batch, is on the wire at a time, in the order of the spool: what is to come again
 *     holds the others back, so that none overtakes it. It is the probe, too.
 * D2  Whatever may have been sent before is looked up first.
 * D3  What is refused for good is given up, and the rest goes on. A batch that is refused goes one by one.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { MeshError } from '../../errors.ts'
import type { Logger } from '../../observe/logger.ts'
import { type Death, type Entry, readHead } from './entry.ts'
import type { Fate } from './fate.ts'
import type { Heard, Line } from './line.ts'
import { Lookup } from './lookup.ts'
import { sendOne, sendTogether } from './send.ts'
import type { Mark, Spool } from './spool.ts'

/** What a loop learns while the connection lasts. */
type Known = {
  readonly lookup: Lookup
  /** The stream of one did not hold its subject for all the time that gave it: the next are given none, or many would hold up the rest. */
  hasty: boolean
}

export type DrainerDeps = { spool: Spool; line: () => Line | undefined; heard: Heard; log: Logger }

/** Entries a commit, and bytes: what a crash makes look up again. */
const BATCH = 256
const BATCH_BYTES = 2 ** 20
const MIN_WAIT_MS = 250
const MAX_WAIT_MS = 5000
const EMPTY_LOOK_MS = 50
/** How long a stream may take to say where it ends. */
const FLOOR_MS = 5000

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

  /** Waits until nothing of the stream is queued; false when `signal` or `stop` comes first. */
  async emptied(stream: string, until: AbortSignal): Promise<boolean> {
    const signal = AbortSignal.any([until, this.#stopping.signal])
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
    const newly = (): Known => ({ lookup: new Lookup(signal), hasty: false })
    let known = newly()
    log.warn({ stream }, 'events of this stream are queued in the spool: the broker does not take them')
    while (!signal.aborted && spool.streams().includes(stream)) {
      const current = line()
      if (!current?.connection.isUp()) {
        await Promise.race([this.#awake.promise, this.#pause(MAX_WAIT_MS, signal)])
        // Of a stream that was made again meanwhile nothing is known.
        known = newly()
        continue
      }
      const outcome = await this.#batch(current, stream, known)
      count += outcome.gone
      if (outcome.gone > 0) waitMs = MIN_WAIT_MS
      if (outcome.error === undefined) continue
      this.#tell(stream, outcome.error)
      await this.#pause(waitMs, signal)
      waitMs = Math.min(waitMs * 2, MAX_WAIT_MS)
    }
    if (!signal.aborted)
      log.info({ stream, count, ms: Date.now() - started }, 'nothing of this stream is queued any more')
  }

  #tell(stream: string, err: unknown): void {
    const { log } = this.#deps
    if (err instanceof MeshError && err.code === 'MESH_SPOOL_FAILED')
      log.error({ stream, err }, 'the file of the spool fails; what is queued waits. Look at its disk, then restart')
    else log.warn({ stream, err }, 'the broker does not take the next event of the spool yet')
  }

  /** How many entries left the spool; `error` when one has to come again, or the file does not do its part. Never throws. */
  async #batch(line: Line, stream: string, known: Known): Promise<{ gone: number; error: unknown }> {
    const { spool } = this.#deps
    const stored: number[] = []
    let gone = 0
    const settle = (): void => {
      const seqs = stored.splice(0)
      if (seqs.length > 0) spool.settle(stream, seqs)
      gone += seqs.length
    }
    let error: unknown
    try {
      const entries = spool.first(stream, { count: BATCH, bytes: BATCH_BYTES })
      const before = spool.markOf(stream)
      spool.settle(stream, [], await this.#nextMark(line, stream, entries))
      for await (const { entry, fate } of this.#fates(line, groupsOf(entries, before), { before, known })) {
        if (fate.kind === 'again') {
          error = fate.error
          break
        }
        if (fate.kind === 'stored') {
          stored.push(entry.seq)
          continue
        }
        settle()
        this.#bury(entry, fate.death)
        known.hasty ||= fate.death.code === 'MESH_NO_STREAM'
        gone++
      }
    } catch (thrown) {
      error = thrown
    }
    try {
      settle()
    } catch (thrown) {
      // They are stored; at worst they are looked up again.
      error = thrown
    }
    return { gone, error }
  }

  #bury(entry: Entry, death: Death): void {
    const { spool, log } = this.#deps
    spool.bury(entry, death)
    const { id, type } = readHead(entry).out.envelope
    log.error(
      { stream: entry.stream, messageId: id, type, code: death.code },
      `a spooled event was given up: ${death.reason}`,
    )
  }

  /** Of each group that goes together, or else of each entry. Upholds D1 to D3. */
  async *#fates(
    { publisher }: Line,
    groups: readonly Entry[][],
    { before, known }: { before: Mark | undefined; known: Known },
  ): AsyncGenerator<{ entry: Entry; fate: Fate }> {
    const { heard } = this.#deps
    for (const group of groups) {
      if (this.#stopping.signal.aborted) return
      const together = group.length > 1 ? await sendTogether(publisher, group) : undefined
      for (const entry of group) {
        if (!together && this.#stopping.signal.aborted) return
        const after = sentAfter(entry, before)
        const sent = after === undefined ? undefined : { after, lookup: known.lookup }
        const fate = together ?? (await sendOne(publisher, entry, { before: sent, hasty: known.hasty }))
        if (fate.kind === 'stored') heard.note(entry.stream, fate.seq)
        yield { entry, fate }
      }
    }
  }

  /** Upholds S4. What is left of an earlier mark keeps its floor. */
  async #nextMark(line: Line, stream: string, entries: readonly Entry[]): Promise<Mark> {
    const { spool, heard } = this.#deps
    const before = spool.markOf(stream)
    const sentTo = Math.max(entries.at(-1)!.seq, before?.sentTo ?? 0)
    if (before && entries[0]!.seq <= before.sentTo) return { sentTo, floor: before.floor }
    return { sentTo, floor: await heard.floor(line, stream, FLOOR_MS) }
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

/**
 * What may go together: neighbours that were never sent, no id twice, and nothing under a subject of which one of them may
 * be the only one: the server would refuse the whole for ever. The rest one by one.
 */
function groupsOf(entries: readonly Entry[], before: Mark | undefined): Entry[][] {
  const groups: Entry[][] = []
  let open: { ids: Set<string>; written: Set<string>; guarded: Set<string> } | undefined
  for (const entry of entries) {
    const { envelope, subject, once } = readHead(entry).out
    const isFresh = sentAfter(entry, before) === undefined
    const meets = open?.guarded.has(subject) || (once && open?.written.has(subject))
    if (isFresh && open && !meets && !open.ids.has(envelope.id)) groups.at(-1)!.push(entry)
    else {
      groups.push([entry])
      open = isFresh ? { ids: new Set(), written: new Set(), guarded: new Set() } : undefined
    }
    open?.ids.add(envelope.id)
    open?.written.add(subject)
    if (once) open?.guarded.add(subject)
  }
  return groups
}
