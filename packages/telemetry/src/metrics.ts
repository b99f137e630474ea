import type { Counter, Gauge, Histogram, Metrics, MetricSpec } from '@malha/mesh'
import * as prometheus from '@prometheus-io/client'

/** The answer to a scrape. */
export type Exposition = { contentType: string; body: string }

/** The mesh's metrics port on a Prometheus registry of its own. */
export interface PrometheusMetrics extends Metrics {
  /** For metrics the port does not know, e.g. one with a `collect` function. */
  readonly registry: prometheus.Registry
  /** `accept` as in the HTTP header: OpenMetrics (with exemplars) where asked for, else the Prometheus text format. */
  expose(accept?: string): Promise<Exposition>
}

export type PrometheusOptions = {
  service: string
  version: string
  /** CPU, memory, event loop, garbage collection of this process. @default true */
  node?: boolean
}

/** Semantic conventions 1.44, `messaging.process.duration`: seconds. */
const SECONDS: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]

/** Metrics of one process, `mesh_build_info` and Node's own included. */
export function prometheusMetrics(options: PrometheusOptions): PrometheusMetrics {
  // Only a registry of this type takes exemplars; how it is shown is decided at each scrape.
  const registry = new prometheus.Registry(prometheus.openMetricsContentType)
  if (options.node !== false) prometheus.collectDefaultMetrics({ register: registry })
  const metrics: PrometheusMetrics = {
    registry,
    counter: (spec) => counter(registry, spec),
    gauge: (spec) => gauge(registry, spec),
    histogram: (spec) => histogram(registry, spec),
    expose: (accept) => expose(registry, accept ?? ''),
  }
  const { service, version } = options
  const spec = { name: 'mesh_build_info', help: 'What runs here; always 1.', labels: ['service', 'version', 'node'] }
  metrics.gauge(spec).set({ service, version, node: process.versions.node }, 1)
  return metrics
}

function counter(registry: prometheus.Registry, spec: MetricSpec): Counter {
  const made = once(registry, spec, prometheus.Counter<string>, () => new prometheus.Counter(config(registry, spec)))
  return { add: (labels, value = 1) => made.inc(labels, value) }
}

function gauge(registry: prometheus.Registry, spec: MetricSpec): Gauge {
  const made = once(registry, spec, prometheus.Gauge<string>, () => new prometheus.Gauge(config(registry, spec)))
  return { set: (labels, value) => made.set(labels, value) }
}

function histogram(registry: prometheus.Registry, spec: MetricSpec): Histogram {
  const buckets = [...(spec.buckets ?? SECONDS)]
  const make = (): prometheus.Histogram<string> =>
    new prometheus.Histogram({ ...config(registry, spec), buckets, enableExemplars: true })
  const made = once(registry, spec, prometheus.Histogram<string>, make)
  return {
    observe: (labels, value, traceId) =>
      made.observe(traceId ? { labels, value, exemplarLabels: { trace_id: traceId } } : { labels, value }),
  }
}

const config = (registry: prometheus.Registry, { name, help, labels }: MetricSpec) => ({
  name,
  help,
  labelNames: [...labels],
  registers: [registry],
})

/** The same name is the same metric, wherever in the process it is asked for. */
function once<M>(registry: prometheus.Registry, spec: MetricSpec, kind: new (...args: never[]) => M, make: () => M): M {
  const existing: unknown = registry.getSingleMetric(spec.name)
  if (existing === undefined) return make()
  if (existing instanceof kind) return existing
  throw new TypeError(`metric ${spec.name} exists already and is no ${kind.name}; give one of the two another name`)
}

async function expose(registry: prometheus.Registry, accept: string): Promise<Exposition> {
  const open = /application\/openmetrics-text/i.test(accept)
  const shown = view(registry, open ? prometheus.openMetricsContentType : prometheus.prometheusContentType)
  return { contentType: shown.contentType, body: await shown.metrics() }
}

/**
 * OpenMetrics names a counter without `_total`. The client gets there by renaming the metric itself, after which the text
 * format would lack `_total` for good; so it gets copies to rename.
 */
function view(registry: prometheus.Registry, contentType: prometheus.RegistryContentType): prometheus.Registry {
  const shown = new prometheus.Registry(contentType)
  for (const metric of registry.getMetricsAsArray() as unknown as Readable[]) {
    const { name, help, type } = metric
    const copy = {
      name,
      help,
      type,
      async get(): Promise<object> {
        const read = metric.getForPromString ? await metric.getForPromString() : await metric.get()
        return { ...read, name: copy.name }
      },
    }
    shown.registerMetric(copy as unknown as prometheus.Metric<string>)
  }
  return shown
}

/** What the client's metrics have beyond their declared types. */
type Readable = {
  name: string
  help: string
  type: string
  get(): Promise<object>
  getForPromString?(): Promise<object>
}
