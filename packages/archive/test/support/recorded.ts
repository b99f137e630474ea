import type { Logger, Metrics } from '@malha/mesh'

export type LogLine = { level: string; message: string; fields: Record<string, unknown> }

/** A logger that keeps its lines. */
export function recordedLog(): { log: Logger; lines: LogLine[] } {
  const lines: LogLine[] = []
  const at =
    (level: string) =>
    (fields: object, message: string): void => {
      lines.push({ level, message, fields: { ...fields } })
    }
  return { lines, log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } }
}

/** Metrics that keep their last value (gauges) or sum (the others), by name and labels. */
export function recordedMetrics(): { metrics: Metrics; value: (name: string, stream: string) => number | undefined } {
  const values = new Map<string, number>()
  const key = (name: string, labels: Readonly<Record<string, string>>): string => `${name}/${labels['stream']}`
  return {
    value: (name, stream) => values.get(`${name}/${stream}`),
    metrics: {
      counter: ({ name }) => ({
        add: (labels, by = 1) => values.set(key(name, labels), (values.get(key(name, labels)) ?? 0) + by),
      }),
      gauge: ({ name }) => ({ set: (labels, to) => values.set(key(name, labels), to) }),
      histogram: ({ name }) => ({ observe: (labels, by) => values.set(key(name, labels), by) }),
    },
  }
}
