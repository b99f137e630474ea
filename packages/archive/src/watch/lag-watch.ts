import { epochOf } from '@malha/mesh'
import { reasonOf } from '../errors.ts'
import type { StreamInfo } from '@nats-io/jetstream'
import { keyOf } from '../lease/lease-bucket.ts'
import type { WriterDeps } from '../write/deps.ts'
import type { Progress } from '../write/progress.ts'
import { nextMessage } from '../receive/next-message.ts'
import { alarmOf, retentionOf } from './retention.ts'

/**
 * Measures how far the archive is behind one stream, and raises the alarm before the stream lets go of what is not
 * archived. The position is kept in the lease bucket for this alone: with ClickHouse away from the start, nobody could
 * say otherwise what is missing. It is never the cursor.
 */
export class LagWatch {
  readonly #deps: WriterDeps
  readonly #progress: Progress
  #alarm: 0 | 50 | 80 = 0
  #kept: string | undefined
  #last: { bytes: number; atMs: number } | undefined

  constructor(deps: WriterDeps, progress: Progress) {
    this.#deps = deps
    this.#progress = progress
  }

  /** Looks at the stream as it is now. Only the writer speaks of it; a process that stands by does not. */
  async observe(info: StreamInfo): Promise<void> {
    if (this.#progress.state.kind === 'standby') return this.clear()
    const position = await this.#position(epochOf(info))
    const nowMs = Date.now()
    const bytesPerMs = this.#growth(info, nowMs)
    const behind = info.state.last_seq - Math.max(position, info.state.first_seq - 1)
    const oldestAtMs =
      behind > 0 ? (await nextMessage(this.#deps.jsm, info.config.name, position))?.time.getTime() : undefined
    const labels = { stream: info.config.name }
    if (oldestAtMs === undefined) return this.clear()
    const messages = Math.min(behind, info.state.messages)
    const retention = retentionOf(info, { messages, oldestAtMs, bytesPerMs }, nowMs)
    this.#deps.metrics.lagMessages.set(labels, messages)
    this.#deps.metrics.lagSeconds.set(labels, Math.max(0, nowMs - oldestAtMs) / 1000)
    this.#deps.metrics.retentionUsed.set(labels, retention.usedRatio)
    this.#raise(alarmOf(retention.usedRatio), { messages, ...retention })
  }

  /** Nothing is behind, or it is another process's to tell. */
  clear(): void {
    const { lagMessages, lagSeconds, retentionUsed } = this.#deps.metrics
    for (const gauge of [lagMessages, lagSeconds, retentionUsed]) gauge.set({ stream: this.#deps.stream }, 0)
    this.#raise(0, undefined)
  }

  async #position(epoch: number): Promise<number> {
    const key = keyOf('position', this.#deps.stream)
    const { position } = this.#progress
    if (position?.epoch === epoch) {
      const value = JSON.stringify({ format: 1, ...position })
      if (value !== this.#kept) await this.#deps.leases.kv.put(key, value)
      this.#kept = value
      return position.seq
    }
    const entry = await this.#deps.leases.kv.get(key)
    const kept = entry?.operation === 'PUT' ? entry.json<{ epoch: number; seq: number }>() : undefined
    return kept?.epoch === epoch ? kept.seq : 0
  }

  #growth(info: StreamInfo, nowMs: number): number {
    const last = this.#last
    this.#last = { bytes: info.state.bytes, atMs: nowMs }
    return last && nowMs > last.atMs ? Math.max(0, (info.state.bytes - last.bytes) / (nowMs - last.atMs)) : 0
  }

  #raise(alarm: 0 | 50 | 80, what: { messages: number; usedRatio: number; lostAtMs: number | undefined } | undefined) {
    const before = this.#alarm
    this.#alarm = alarm
    if (alarm <= before || !what) return
    const firstLossAt = what.lostAtMs === undefined ? 'unknown' : new Date(what.lostAtMs).toISOString()
    const fields = { stream: this.#deps.stream, messages: what.messages, usedRatio: what.usedRatio, firstLossAt }
    this.#deps.log.error(
      fields,
      `archive: ${alarm} % of the time stream ${this.#deps.stream} keeps its events for has passed for one that is not archived; the first is lost at ${firstLossAt}. Bring ClickHouse back, or raise the stream's limits`,
    )
  }
}

/** Runs `observe`, and tells a failure to the log only: watching must never stop writing. */
export async function observeQuietly(watch: LagWatch, info: StreamInfo, deps: WriterDeps): Promise<void> {
  await watch.observe(info).catch((error: unknown) => {
    deps.log.debug({ stream: info.config.name, reason: reasonOf(error) }, 'archive: lag not measured')
  })
}
