/** Label values of one series. */
export type Labels = Readonly<Record<string, string>>

export interface Counter {
  add(labels: Labels, value?: number): void
}
export interface Gauge {
  set(labels: Labels, value: number): void
}
export interface Histogram {
  /** `traceId` becomes the exemplar, so that a panel leads to the trace. */
  observe(labels: Labels, value: number, traceId?: string): void
}

/** How to make one metric: its full name with unit suffix, a sentence, its label names. */
export type MetricSpec = { name: string; help: string; labels: readonly string[]; buckets?: readonly number[] }

/** What the mesh asks of a metrics library. `@malha/telemetry` fills it with a Prometheus client. Same name twice = same metric. */
export interface Metrics {
  counter(spec: MetricSpec): Counter
  gauge(spec: MetricSpec): Gauge
  histogram(spec: MetricSpec): Histogram
}

/** Counts nothing. The default. */
export const noMetrics: Metrics = {
  counter: () => ({ add: ignore }),
  gauge: () => ({ set: ignore }),
  histogram: () => ({ observe: ignore }),
}

function ignore(): void {}
