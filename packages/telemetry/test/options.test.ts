import { expect, test } from 'vitest'
import { TelemetryError } from '../src/errors.ts'
import { healthAddress } from '../src/health.ts'
import { resolveTelemetry } from '../src/options.ts'

const service = 'orders'
const url = (env: Record<string, string>): string | undefined => resolveTelemetry({ service, env }).tracing?.url

test('without an endpoint nothing is traced', () => {
  expect(resolveTelemetry({ service, env: {} }).tracing).toBeUndefined()
})

test.each([{ OTEL_SDK_DISABLED: 'true' }, { OTEL_TRACES_EXPORTER: 'none' }])('%j switches tracing off', (off) => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318', ...off }
  expect(resolveTelemetry({ service, env }).tracing).toBeUndefined()
})

test('the general endpoint is a base, that of traces the full address', () => {
  expect(url({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318/' })).toBe('http://c:4318/v1/traces')
  expect(url({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c/x', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://d' })).toBe(
    'http://c/x',
  )
})

test('the resource names service, version, instance and host, and the environment wins', () => {
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318',
    OTEL_RESOURCE_ATTRIBUTES: 'host.name=node-7,team=a%2Cb',
    OTEL_SERVICE_NAME: 'orders-blue',
  }
  const plain = resolveTelemetry({
    service,
    version: '1.2.3',
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c' },
  }).tracing
  expect(plain?.resource).toMatchObject({
    'service.name': 'orders',
    'service.version': '1.2.3',
    'service.instance.id': expect.stringMatching(/^[\da-f-]{36}$/),
    'host.name': expect.stringMatching(/./),
  })
  expect(resolveTelemetry({ service, env }).tracing?.resource).toMatchObject({
    'service.name': 'orders-blue',
    'host.name': 'node-7',
    team: 'a,b',
  })
})

test.each([
  [{}, { root: 'on', parentBased: true }],
  [{ OTEL_TRACES_SAMPLER: 'always_off' }, { root: 'off', parentBased: false }],
  [
    { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.01' },
    { root: 0.01, parentBased: true },
  ],
])('%j samples as %j', (env, sampling) => {
  const set = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', ...env }
  expect(resolveTelemetry({ service, env: set }).tracing?.sampling).toEqual(sampling)
})

test('all faults are said at once, and none repeats a password', () => {
  const env = {
    LOG_LEVEL: 'loud',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'ftp://me:hunter2@c',
    OTEL_TRACES_SAMPLER: 'sometimes',
    OTEL_PROPAGATORS: 'jaeger',
    OTEL_RESOURCE_ATTRIBUTES: 'novalue',
  }
  const attempt = (): unknown => resolveTelemetry({ service: 'Orders!', env })
  expect(attempt).toThrow(TelemetryError)
  for (const fault of ['service "Orders!"', 'LOG_LEVEL', 'ENDPOINT', 'SAMPLER', 'PROPAGATORS', 'RESOURCE_ATTRIBUTES'])
    expect(attempt).toThrow(fault)
  expect(attempt).not.toThrow('hunter2')
})

test('baggage is not passed on unless asked for', () => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c' }
  expect(resolveTelemetry({ service, env }).tracing?.propagators).toEqual(['tracecontext'])
  const both = { ...env, OTEL_PROPAGATORS: 'tracecontext, baggage' }
  expect(resolveTelemetry({ service, env: both }).tracing?.propagators).toEqual(['tracecontext', 'baggage'])
})

test('health listens on loopback, port 8081, unless told', () => {
  expect(healthAddress({})).toEqual({ host: '127.0.0.1', port: 8081 })
  expect(healthAddress({ HEALTH_HOST: '0.0.0.0', HEALTH_PORT: '0' })).toEqual({ host: '0.0.0.0', port: 0 })
  expect(() => healthAddress({ HEALTH_PORT: '99999' })).toThrow('HEALTH_PORT')
})
