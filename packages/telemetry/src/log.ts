import { context, trace } from '@opentelemetry/api'
import { pino, type Logger as PinoLogger } from 'pino'

/** Where log lines go; `process.stdout` fits. */
export interface LogTarget {
  write(line: string): unknown
}

export type LogOptions = {
  service: string
  version: string
  level: string
  redact: (text: string) => string
  /** @default stdout, written at once, so that the last line before an exit is there */
  to?: LogTarget | undefined
}

/** JSON lines: `level` as a word, `time` in RFC 3339, `name` of the service, `version`, `pid`, the trace where there is one, `msg`. */
export function createLog(options: LogOptions): PinoLogger {
  const { service, version, level, redact } = options
  const target = options.to ?? pino.destination({ dest: 1, sync: true })
  return pino(
    {
      level,
      // `name`, not `service`: the mesh's own lines have a field of that name, and a key must not stand twice in a line.
      base: { name: service, version, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      mixin: activeTrace,
      hooks: { streamWrite: redact },
    },
    target,
  )
}

function activeTrace(): object {
  const span = trace.getSpanContext(context.active())
  return span ? { trace_id: span.traceId, span_id: span.spanId } : {}
}
