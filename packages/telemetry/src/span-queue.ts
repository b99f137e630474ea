import { ExportResultCode, type ExportResult } from '@opentelemetry/core'
import type { ReadableSpan, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace'

/** Why spans were lost: more than the queue holds, a collector that refused them or did not answer, or the end of the process. */
export type LossReason = 'queue-full' | 'export-failed' | 'shutdown'

export type SpanQueueOptions = {
  exporter: SpanExporter
  /** Spans that may wait; those beyond are lost. */
  size: number
  onLost(count: number, reason: LossReason): void
  /** A batch arrived: what was wrong is over. */
  onSent(): void
}

/**
 * Stands on both sides of the SDK's batch processor, which drops spans without a word: before it as a processor that
 * keeps the queue within `size`, behind it as the exporter. So every span that ends is sent or counted as lost.
 */
export class SpanQueue implements SpanExporter, SpanProcessor {
  readonly #options: SpanQueueOptions
  readonly #sending = new Map<readonly ReadableSpan[], (result: ExportResult) => void>()
  #batches: SpanProcessor | undefined
  #waiting = 0
  #abandoned = false

  constructor(options: SpanQueueOptions) {
    this.#options = options
  }

  /** `make` builds the batch processor on this as its exporter. */
  through(make: (exporter: SpanExporter) => SpanProcessor): this {
    this.#batches = make(this)
    return this
  }

  onStart(...started: Parameters<SpanProcessor['onStart']>): void {
    this.#batches?.onStart(...started)
  }

  onEnd(span: ReadableSpan): void {
    if ((span.spanContext().traceFlags & 1) === 0) return
    if (this.#abandoned || this.#waiting >= this.#options.size) {
      this.#options.onLost(1, this.#abandoned ? 'shutdown' : 'queue-full')
      return
    }
    this.#waiting++
    this.#batches?.onEnd(span)
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.#waiting -= spans.length
    this.#sending.set(spans, done)
    this.#options.exporter.export(spans, (result) => this.#sent(spans, result))
  }

  #sent(spans: readonly ReadableSpan[], result: ExportResult): void {
    const done = this.#sending.get(spans)
    if (!done) return
    this.#sending.delete(spans)
    if (result.code === ExportResultCode.SUCCESS) this.#options.onSent()
    else this.#options.onLost(spans.length, this.#abandoned ? 'shutdown' : 'export-failed')
    done(result)
  }

  /** Gives up what is left, so that no timer of the batch processor holds the process. */
  abandon(): void {
    this.#abandoned = true
    for (const spans of this.#sending.keys())
      this.#sent(spans, { code: ExportResultCode.FAILED, error: new Error('the process ends') })
    if (this.#waiting > 0) this.#options.onLost(this.#waiting, 'shutdown')
    this.#waiting = 0
  }

  forceFlush(): Promise<void> {
    return this.#batches?.forceFlush() ?? Promise.resolve()
  }

  /** The provider shuts down its processor, which is this; the batch processor then shuts down its exporter, which is this as well. */
  async shutdown(): Promise<void> {
    const batches = this.#batches
    this.#batches = undefined
    await (batches ? batches.shutdown() : this.#options.exporter.shutdown())
  }
}
