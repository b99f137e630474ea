import { archiveConfig } from '../../../packages/archive/src/config.ts'
import { redactor } from '../../../packages/telemetry/src/redact.ts'
import { resolveTelemetry } from '../../../packages/telemetry/src/options.ts'
import { cityRegistrationConfig } from '../../../packages/services/city-registration/src/config.ts'
import { serviceConfig } from '../../../packages/services/distribution-center/src/config.ts'
import { simulatorConfig } from '../../../packages/services/partner-simulator/src/config.ts'
import { providerConfig } from '../../../packages/services/provider/src/config.ts'
import { Input } from '../engine/input.ts'
import { check, type Target } from '../engine/target.ts'

const GOOD = {
  NATS_URL: 'nats://a:4222',
  DMITRI_URL: 'http://d:1',
  SENNINHA_URL: 'http://s:1',
  MAAS_URL: 'https://m',
  CLICKHOUSE_URL: 'http://c:8123',
  PARTNER: 'dmitri',
} as const
const OTHERS = [
  ...Object.keys(GOOD),
  'MALHA_NAMESPACE',
  'MALHA_TOPOLOGY',
  'MALHA_REPLICAS',
  'NATS_TOKEN',
  'NATS_USER',
  'NATS_PASSWORD',
  'NATS_CREDS_FILE',
  'MALHA_SPOOL_FILE',
  'MALHA_SPOOL_MAX_BYTES',
  'HTTP_HOST',
  'HTTP_PORT',
  'HEALTH_HOST',
  'HEALTH_PORT',
  'FAULT',
  'CONTROL_PORT',
  'PARTNER_TIMEOUT_MS',
  'CLICKHOUSE_USER',
  'CLICKHOUSE_PASSWORD',
  'LATENCY_MS',
  'LOG_LEVEL',
  'OTEL_RESOURCE_ATTRIBUTES',
  'OTEL_TRACES_SAMPLER',
  'OTEL_TRACES_SAMPLER_ARG',
  'OTEL_PROPAGATORS',
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'DATA_DIR',
] as unknown as [string, ...string[]]
const SECRET = 'hunter2-7f3a'

/** Any environment is a configuration whose numbers can be used, or is refused in words that give no secret away. */
export const config: Target = {
  name: 'config',
  run(bytes) {
    const input = new Input(bytes)
    const env: Record<string, string> = { ...GOOD }
    for (let count = input.upTo(6); count > 0; count--) env[input.pick(OTHERS)] = input.text(40)
    if (input.flag()) env['NATS_URL'] = `nats://${input.text(8)}:${SECRET}@${input.text(12)}`
    if (input.flag()) env['DMITRI_URL'] = `http://${input.text(4)}:${SECRET}@${input.text(12)}`
    for (const read of [
      cityRegistrationConfig,
      serviceConfig,
      providerConfig,
      archiveConfig,
      simulatorConfig,
      telemetry,
    ])
      reads(() => read(env))
    redactor(env)
  },
  seeds: ['', '\x01\x08\x034:4', '\x02\x0b\x048080'].map((text) => new TextEncoder().encode(text)),
  words: ['nats://', 'tls://', 'http://', '%00', '0x10', '1e3', ' ', 'latency=100', '127.0.0.1', '-1', ','],
}

const telemetry = (env: Record<string, string>): unknown => resolveTelemetry({ service: 'svc', env })

/** Of the language, or of a library: not for people who set variables. */
const FOREIGN = [TypeError, RangeError, URIError, SyntaxError]

function reads(read: () => unknown): void {
  try {
    usable(read(), '')
  } catch (error) {
    check(error instanceof Error && !FOREIGN.some((one) => error instanceof one), 'refused by another error', error)
    check(!error.message.includes(SECRET), 'a secret is told', error.message)
    check(error.message.trim() !== '', 'refused without a word', error)
  }
}

function usable(value: unknown, name: string): void {
  if (typeof value === 'number') {
    check(Number.isFinite(value), `${name} is no number`, value)
    if (/port/i.test(name)) check(Number.isInteger(value) && value >= 0 && value <= 65_535, `${name} is no port`, value)
  }
  if (typeof value === 'object' && value !== null) for (const [key, part] of Object.entries(value)) usable(part, key)
}
