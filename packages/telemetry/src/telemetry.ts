import type { Logger as PinoLogger } from 'pino'
import { createLog } from './log.ts'
import { prometheusMetrics, type PrometheusMetrics } from './metrics.ts'
import { resolveTelemetry, type TelemetryOptions } from './options.ts'
import { redactor } from './redact.ts'
import type { LossReason } from './span-queue.ts'
import { startTracing, type Tracing } from './tracing.ts'

/** What a service process says of itself. Disposing sends the last spans, for `flushMs` at most, and never rejects. */
export interface Telemetry extends AsyncDisposable {
  /** JSON lines on stdout without secrets; fits the mesh's `Logger` port and Fastify's `loggerInstance`. */
  readonly log: PinoLogger
  /** The mesh's `Metrics` port; `serveHealth` serves it. */
  readonly metrics: PrometheusMetrics
  /** Whether spans are recorded, i.e. whether there is a collector. */
  readonly tracing: boolean
}

/**
 * Sets up logs, metrics and traces of this process. To be called once, first thing in `main.ts`.
 * @throws TelemetryError TELEMETRY_INVALID_OPTIONS with every fault
 */
export function startTelemetry(options: TelemetryOptions): Telemetry {
  const { service, version, logLevel, flushMs, tracing: wanted } = resolveTelemetry(options)
  const redact = redactor(options.env)
  const log = createLog({ service, version, level: logLevel, redact, to: options.logTo })
  const metrics = prometheusMetrics({ service, version })
  const losses = lossReporter(log, metrics)
  const tracing: Tracing | undefined = wanted && startTracing({ tracing: wanted, redact, ...losses })
  let stopped: Promise<void> | undefined
  return {
    log,
    metrics,
    tracing: tracing !== undefined,
    [Symbol.asyncDispose]: () => (stopped ??= tracing?.stop(flushMs) ?? Promise.resolve()),
  }
}

type LossReporter = { onLost(count: number, reason: LossReason): void; onSent(): void }

/** Counts every lost span, and says so once an outage of the collector, not once a batch. */
function lossReporter(log: PinoLogger, metrics: PrometheusMetrics): LossReporter {
  const dropped = metrics.counter({
    name: 'mesh_spans_dropped_total',
    help: 'Spans that never reached the collector, by reason: queue-full, export-failed, shutdown.',
    labels: ['reason'],
  })
  let said = false
  return {
    onLost(count, reason) {
      dropped.add({ reason }, count)
      if (said) return
      said = true
      log.warn(
        { spans: count, reason },
        'spans are lost: is the collector at OTEL_EXPORTER_OTLP_ENDPOINT up? mesh_spans_dropped_total counts on',
      )
    },
    onSent() {
      if (said) log.info({}, 'spans arrive again')
      said = false
    },
  }
}
