import { startTelemetry, type Telemetry } from '@malha/telemetry'
import type { Setup } from '../../protocol.ts'
import { meshSide } from '../../sides/mesh.ts'
import type { Side } from '../../sides/side.ts'

type TracedSettings = { readonly sampling: number; readonly collectorPort: number }

/** The mesh in a process that is traced as a service is. Each event begins a trace of its own, and the sampler decides about it. */
export const tracedSide: Side = {
  async publisher(setup) {
    const telemetry = trace(setup, 'publisher')
    const publisher = await meshSide().publisher(setup)
    return {
      ...publisher,
      inContext: (work) => work(),
      async close() {
        await publisher.close()
        await telemetry[Symbol.asyncDispose]()
      },
    }
  },
  async consumer(setup) {
    const telemetry = trace(setup, 'consumer')
    const consumer = await meshSide().consumer(setup)
    return {
      ...consumer,
      async close() {
        await consumer.close()
        await telemetry[Symbol.asyncDispose]()
      },
    }
  },
}

/** Before the side is made: the first to set the global context manager and propagator keeps them. */
function trace({ settings }: Setup, service: string): Telemetry {
  const { sampling, collectorPort } = settings as TracedSettings
  return startTelemetry({
    service,
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collectorPort}`,
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: String(sampling),
      LOG_LEVEL: 'warn',
    },
  })
}
