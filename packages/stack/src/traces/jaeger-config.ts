export type JaegerPorts = { port: number; queryPort: number; grpcPort: number }

/** Where spans are kept, and the file that configures its page. */
export type JaegerFiles = { dataDir?: string | undefined; pageFile?: string | undefined }

/**
 * A Jaeger 2 configuration: OTLP/HTTP in, the query API and its page out, all on 127.0.0.1. Spans are kept on disk (badger)
 * with a `dataDir`, else in memory. JSON is YAML, too, and needs no quoting rules of its own.
 */
export function jaegerConfig(
  { port, queryPort, grpcPort }: JaegerPorts,
  { dataDir, pageFile }: JaegerFiles = {},
): string {
  const memory = { memory: { max_traces: 100_000 } }
  const disk = {
    badger: {
      directories: { keys: `${dataDir}/keys`, values: `${dataDir}/values` },
      ephemeral: false,
      ttl: { spans: '336h' },
    },
  }
  const config = {
    service: {
      extensions: ['jaeger_storage', 'jaeger_query'],
      pipelines: {
        traces: { receivers: ['otlp'], processors: ['batch'], exporters: ['jaeger_storage_exporter'] },
      },
      // Its own metrics would take port 8888.
      telemetry: { metrics: { level: 'none' }, logs: { level: 'warn' } },
    },
    extensions: {
      jaeger_storage: { backends: { traces: dataDir === undefined ? memory : disk } },
      jaeger_query: {
        storage: { traces: 'traces' },
        // It would trace itself, to port 4317, and wait five seconds for that at its end.
        enable_tracing: false,
        http: { endpoint: `127.0.0.1:${queryPort}` },
        grpc: { endpoint: `127.0.0.1:${grpcPort}` },
        ...(pageFile !== undefined && { ui: { config_file: pageFile } }),
      },
    },
    receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } } },
    processors: { batch: { timeout: '200ms' } },
    exporters: { jaeger_storage_exporter: { trace_storage: 'traces' } },
  }
  return `${JSON.stringify(config, undefined, 2)}\n`
}
