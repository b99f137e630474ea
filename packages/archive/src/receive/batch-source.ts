import type { JetStreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { type StreamEpoch, toRow } from '../message/row.ts'
import { isMarker } from '../write/markers.ts'
import { type Batch, type BatchLimits, RowBuffer } from '../write/row-buffer.ts'
import { dueAtMs, type FlushTimes } from '../write/flush-policy.ts'
import { type Feed, openFeed } from './pull-feed.ts'

export type BatchSourceOptions = {
  target: StreamEpoch
  fromSeq: number
  limits: BatchLimits
  times: FlushTimes
}

/** Batches of one stream from a sequence on, in order. */
export class BatchSource {
  readonly #options: BatchSourceOptions
  readonly #buffer: RowBuffer
  #feed: Feed | undefined
  #caughtUp = false
  #ended = false
  #fault: string | undefined
  #lastInsertAtMs = -Infinity
  #wake: (() => void) | undefined

  private constructor(options: BatchSourceOptions) {
    this.#options = options
    this.#buffer = new RowBuffer(options.limits, options.fromSeq)
  }

  static async open(nats: NatsConnection, jsm: JetStreamManager, options: BatchSourceOptions): Promise<BatchSource> {
    const source = new BatchSource(options)
    source.#feed = await openFeed(nats, jsm, {
      stream: options.target.stream,
      fromSeq: options.fromSeq,
      rows: options.limits.rows,
      bytes: options.limits.bytes,
      onMessage: ({ message, pending }) => {
        const isNoEvent = isMarker(options.target.stream, message.subject)
        source.#buffer.push(toRow(options.target, message), performance.now(), { isMarker: isNoEvent })
        source.#caughtUp = pending === 0
        source.#wake?.()
      },
      hasRoom: () => !source.#buffer.isFull,
      onEnd: (fault) => {
        source.#ended = true
        source.#fault = fault
        source.#wake?.()
      },
    })
    return source
  }

  /** Why the source ended before it was closed. What had been received by then is still given out. */
  get fault(): string | undefined {
    return this.#fault
  }

  /** When JetStream stored the oldest row that waits. */
  get oldestPublishedAt(): string | undefined {
    return this.#buffer.oldestPublishedAt
  }

  /** The next batch as soon as it is due; undefined once the source has ended and all is given out, or at `signal`. */
  async next(signal: AbortSignal): Promise<Batch | undefined> {
    for (;;) {
      if (signal.aborted) return undefined
      const waitMs = this.#waitMs()
      if (waitMs === undefined) return undefined
      if (waitMs <= 0) {
        const batch = this.#buffer.take()
        this.#feed?.more()
        return batch
      }
      await this.#sleep(waitMs, signal)
    }
  }

  /** Tells the source that an insert has just been made. */
  inserted(): void {
    this.#lastInsertAtMs = performance.now()
  }

  /** Receives nothing more. */
  close(): void {
    this.#feed?.close()
  }

  // Milliseconds until a batch is due; undefined: never.
  #waitMs(): number | undefined {
    const { oldestAtMs } = this.#buffer
    if (oldestAtMs === undefined) return this.#ended ? undefined : LONG_MS
    if (this.#ended) return 0
    const state = {
      isFull: this.#buffer.isFull,
      caughtUp: this.#caughtUp,
      oldestAtMs,
      lastInsertAtMs: this.#lastInsertAtMs,
    }
    return dueAtMs(state, this.#options.times) - performance.now()
  }

  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      // Also at the end of the time: `signal` lives as long as the lease, and what listens to it would become ever more.
      const wake = (): void => {
        this.#wake = undefined
        clearTimeout(timer)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      const timer = setTimeout(wake, ms)
      this.#wake = wake
      signal.addEventListener('abort', wake, { once: true })
    })
  }
}

const LONG_MS = 60_000
