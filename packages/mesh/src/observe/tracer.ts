import { ProxyTracerProvider, trace, type Tracer, type TracerProvider } from '@opentelemetry/api'

const NO_SDK = new ProxyTracerProvider().getDelegate()

/** Asked for at each use: an SDK may be registered after this module is loaded. */
function recorder(): TracerProvider {
  const provider = trace.getTracerProvider()
  return provider instanceof ProxyTracerProvider ? provider.getDelegate() : provider
}

let own: { readonly of: TracerProvider; readonly tracer: Tracer } | undefined

/** Kept as long as the same SDK is registered: it looks a tracer up by name, version and schema each time. */
export function tracer(): Tracer {
  const of = recorder()
  if (own?.of !== of) own = { of, tracer: of.getTracer('@malha/mesh') }
  return own.tracer
}

/** Whether an SDK is registered. */
export const isRecorded = (): boolean => recorder() !== NO_SDK
