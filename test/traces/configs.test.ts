import { expect, test } from 'vitest'
import { z } from 'zod'
import { collectorFile, jaegerFiles, jaegerPlaces, mergedConfig } from './deployed.ts'

const parts = z.record(z.string(), z.unknown())
const name = z.string()
const Collector = z.strictObject({
  extensions: parts,
  receivers: parts,
  processors: parts,
  exporters: parts,
  service: z.strictObject({
    extensions: z.array(name),
    pipelines: z.record(
      z.string(),
      z.strictObject({ receivers: z.array(name), processors: z.array(name), exporters: z.array(name) }),
    ),
    telemetry: parts,
  }),
})

test.each([collectorFile, ...jaegerPlaces])(
  '%s: each part that is used is described, and each described is used',
  (of) => {
    const files = of === collectorFile ? [collectorFile] : jaegerFiles[of as keyof typeof jaegerFiles]
    const { service, ...described } = Collector.parse(mergedConfig(files))
    const pipelines = Object.values(service.pipelines)
    expect(service.extensions.toSorted()).toEqual(Object.keys(described.extensions).toSorted())
    for (const kind of ['receivers', 'processors', 'exporters'] as const) {
      const used = new Set(pipelines.flatMap((pipeline) => pipeline[kind]))
      expect([...used].toSorted()).toEqual(Object.keys(described[kind]).toSorted())
    }
  },
)

const endpoint = z.strictObject({ endpoint: z.string().startsWith('0.0.0.0:') })
const days = z.string().regex(/^\d+h$/)
const ClickHouse = z.strictObject({
  clickhouse: z.strictObject({
    protocol: z.enum(['http', 'native']),
    addresses: z.array(z.string().regex(/^[a-z.-]+:8123$/)),
    database: z.literal('jaeger'),
    create_schema: z.literal(true),
    ttl: days,
    // It is put in by the collector: the storage reads no file itself.
    auth: z.strictObject({
      basic: z.strictObject({ username: z.literal('malha'), password: z.string().regex(/^\$\{file:.+\}$/) }),
    }),
  }),
})
const Storage = z.union([
  z.strictObject({ memory: z.strictObject({ max_traces: z.int().positive() }) }),
  z.strictObject({
    badger: z.strictObject({
      ephemeral: z.literal(false),
      directories: z.strictObject({ keys: z.string(), values: z.string() }),
      ttl: z.strictObject({ spans: days }),
    }),
  }),
  ClickHouse,
])
/** Keys by the configuration structs of Jaeger 2.20; no others are known. */
const Extensions = z.strictObject({
  healthcheckv2: z.strictObject({ use_v2: z.literal(true), http: endpoint }),
  jaeger_storage: z.strictObject({
    backends: z.strictObject({ traces: Storage }),
    metric_backends: z.strictObject({ traces: ClickHouse }).optional(),
  }),
  jaeger_query: z.strictObject({
    storage: z.strictObject({ traces: z.literal('traces'), metrics: z.literal('traces').optional() }),
    enable_tracing: z.literal(false),
    max_clock_skew_adjust: z.literal('0s'),
    ui: z.strictObject({ config_file: z.literal('/etc/jaeger/ui.json') }),
    http: endpoint,
    grpc: endpoint,
  }),
})

const Receivers = z.strictObject({
  otlp: z.strictObject({ protocols: z.partialRecord(z.enum(['http', 'grpc']), endpoint) }),
})

test.each(jaegerPlaces)(
  '%s: Jaeger is given keys it knows, listens where others reach it, and moves no span',
  (place) => {
    const config = mergedConfig(jaegerFiles[place])
    expect(Extensions.safeParse(config['extensions']).error?.issues).toBeUndefined()
    expect(Receivers.safeParse(config['receivers']).error?.issues).toBeUndefined()
    const { jaeger_query: query, jaeger_storage: storage } = Extensions.parse(config['extensions'])
    expect(query.storage.metrics !== undefined).toBe(place.endsWith('clickhouse'))
    expect(storage.metric_backends?.traces).toEqual(place.endsWith('clickhouse') ? storage.backends.traces : undefined)
  },
)

const Judged = z.object({
  processors: z.object({
    tail_sampling: z.object({
      decision_cache: z.object({ sampled_cache_size: z.int(), non_sampled_cache_size: z.int() }),
      policies: z.array(z.object({ name: z.string(), type: z.string() })),
    }),
  }),
})

test('what goes on after a trace was judged is judged by itself where it was not kept, and failures come first', () => {
  const { tail_sampling } = Judged.parse(mergedConfig([collectorFile])).processors
  // Zero would be a memory of all, for as long as any trace is remembered.
  expect(tail_sampling.decision_cache.non_sampled_cache_size).toBe(1)
  expect(tail_sampling.decision_cache.sampled_cache_size).toBeGreaterThan(100_000)
  expect(tail_sampling.policies.map((policy) => policy.name)).toEqual([
    'failed',
    'slow',
    'waited',
    'retried',
    'sent-again',
    'some',
  ])
})
