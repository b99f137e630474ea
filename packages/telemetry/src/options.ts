import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { isMatch, isWithin, shown } from '@malha/mesh'
import { TelemetryError } from './errors.ts'
import type { LogTarget } from './log.ts'
import type { Env } from './redact.ts'

export type TelemetryOptions = {
  /** Lower case with dashes, as in `defineService`: the service's name in logs, traces and metrics. `OTEL_SERVICE_NAME` wins in traces. */
  service: string
  /** @default '0.0.0' */
  version?: string
  /** The process's environment: docs/reference/configuration.md has each variable read here. */
  env: Env
  /** @default stdout */
  logTo?: LogTarget
  /** How long disposing waits for the last spans to leave, ms. @default 3 000 */
  flushMs?: number
}

export type Sampling = {
  readonly root: 'on' | 'off' | number
  /** Whether the caller's decision, where there is one, goes before `root`. */
  readonly parentBased: boolean
}

export type ResolvedTracing = {
  /** The full address spans are posted to. */
  readonly url: string
  readonly sampling: Sampling
  readonly propagators: readonly ('tracecontext' | 'baggage')[]
  readonly resource: Readonly<Record<string, string>>
}

export type ResolvedTelemetry = {
  readonly service: string
  readonly version: string
  readonly logLevel: string
  readonly flushMs: number
  /** `undefined` where nothing is to be traced: no SDK is loaded then. */
  readonly tracing: ResolvedTracing | undefined
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']

/**
 * Fills in defaults from the environment.
 * @throws TelemetryError TELEMETRY_INVALID_OPTIONS with every fault
 */
export function resolveTelemetry(options: TelemetryOptions): ResolvedTelemetry {
  const { service, version = '0.0.0', env, flushMs = 3_000 } = options
  const faults: string[] = []
  if (!isMatch(service, /^[a-z][a-z0-9-]{0,47}$/))
    faults.push(`service ${shown(service)}: a-z, 0-9 and -, 48 characters at most`)
  if (!isWithin(flushMs, 0)) faults.push(`flushMs is ${shown(flushMs)}; 0 or more`)
  const logLevel = (env['LOG_LEVEL'] || 'info').toLowerCase()
  if (!LEVELS.includes(logLevel)) faults.push(`LOG_LEVEL is ${JSON.stringify(logLevel)}; one of ${LEVELS.join(', ')}`)
  const tracing = resolveTracing({ service, version, env }, faults)
  if (faults.length > 0)
    throw new TelemetryError('TELEMETRY_INVALID_OPTIONS', faults.map((fault) => `\n  - ${fault}`).join(''))
  return { service, version, logLevel, flushMs, tracing }
}

type Who = { service: string; version: string; env: Env }

function resolveTracing({ service, version, env }: Who, faults: string[]): ResolvedTracing | undefined {
  const sampling = resolveSampling(env, faults)
  const propagators = resolvePropagators(env, faults)
  const url = tracesUrl(env, faults)
  const attributes = resourceAttributes(env['OTEL_RESOURCE_ATTRIBUTES'] ?? '', faults)
  const off = env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true' || env['OTEL_TRACES_EXPORTER'] === 'none'
  if (url === undefined || off) return undefined
  const resource: Record<string, string> = {
    'service.name': service,
    'service.version': version,
    'service.instance.id': randomUUID(),
    // Without it Jaeger takes a consumer that starts after its publisher ended for clock skew.
    'host.name': hostname(),
    'telemetry.sdk.language': 'nodejs',
    'telemetry.sdk.name': 'opentelemetry',
    ...attributes,
  }
  if (env['OTEL_SERVICE_NAME']) resource['service.name'] = env['OTEL_SERVICE_NAME']
  return { url, sampling, propagators, resource }
}

/** The signal's own variable is the full address, the general one a base (OpenTelemetry specification, OTLP exporter). */
function tracesUrl(env: Env, faults: string[]): string | undefined {
  const own = env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT']
  const base = env['OTEL_EXPORTER_OTLP_ENDPOINT']
  const url = own || (base ? `${base.replace(/\/+$/, '')}/v1/traces` : undefined)
  if (url === undefined) return undefined
  if (/^https?:$/.test(URL.parse(url)?.protocol ?? '')) return url
  // The value is not repeated: it may carry a password.
  faults.push(`${own ? 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT' : 'OTEL_EXPORTER_OTLP_ENDPOINT'} is no http(s) URL`)
  return undefined
}

const SAMPLERS: Readonly<Record<string, 'on' | 'off' | 'ratio'>> = {
  always_on: 'on',
  always_off: 'off',
  traceidratio: 'ratio',
}

function resolveSampling(env: Env, faults: string[]): Sampling {
  const name = env['OTEL_TRACES_SAMPLER'] || 'parentbased_always_on'
  const parentBased = name.startsWith('parentbased_')
  const kind = SAMPLERS[name.replace(/^parentbased_/, '')]
  if (kind === undefined) {
    const known = Object.keys(SAMPLERS).flatMap((sampler) => [sampler, `parentbased_${sampler}`])
    faults.push(`OTEL_TRACES_SAMPLER is ${JSON.stringify(name)}; one of ${known.join(', ')}`)
  }
  if (kind !== 'ratio') return { root: kind ?? 'on', parentBased }
  const ratio = Number(env['OTEL_TRACES_SAMPLER_ARG'] || '1')
  if (!(ratio >= 0 && ratio <= 1)) faults.push('OTEL_TRACES_SAMPLER_ARG is not a number from 0 to 1')
  return { root: ratio, parentBased }
}

/** W3C trace context only, unless told: baggage of a caller would reach every partner we call. */
function resolvePropagators(env: Env, faults: string[]): ('tracecontext' | 'baggage')[] {
  const wanted: ('tracecontext' | 'baggage')[] = []
  for (const name of (env['OTEL_PROPAGATORS'] || 'tracecontext').split(',').map((item) => item.trim())) {
    if (name === 'tracecontext' || name === 'baggage') wanted.push(name)
    else if (name !== 'none') faults.push(`OTEL_PROPAGATORS has ${JSON.stringify(name)}; tracecontext, baggage or none`)
  }
  return wanted
}

/** `key=value,key=value`, values percent-encoded (OpenTelemetry specification, resource SDK). */
function resourceAttributes(text: string, faults: string[]): Record<string, string> {
  const attributes: Record<string, string> = {}
  for (const item of text.split(',').filter((item) => item.trim() !== '')) {
    const at = item.indexOf('=')
    try {
      if (at < 1) throw new URIError('no =')
      attributes[item.slice(0, at).trim()] = decodeURIComponent(item.slice(at + 1).trim())
    } catch {
      faults.push('OTEL_RESOURCE_ATTRIBUTES is not key=value,key=value with percent-encoded values')
    }
  }
  return attributes
}
