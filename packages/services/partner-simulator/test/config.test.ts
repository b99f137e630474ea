import { expect, test } from 'vitest'
import { simulatorConfig } from '../src/config.ts'

test('a partner needs only its name', () => {
  expect(simulatorConfig({ PARTNER: 'maas', DATA_DIR: '' })).toEqual({
    partner: 'maas',
    host: '127.0.0.1',
    port: 0,
    controlPort: 0,
    logLevel: 'info',
  })
})

test('FAULT takes a mode or the JSON of a fault', () => {
  expect(simulatorConfig({ PARTNER: 'dmitri', FAULT: 'down' }).fault).toMatchObject({ mode: 'down' })
  expect(
    simulatorConfig({ PARTNER: 'dmitri', FAULT: '{"mode":"flaky","rate":0.1,"retryAfterS":2}' }).fault,
  ).toMatchObject({
    mode: 'flaky',
    rate: 0.1,
    retryAfterS: 2,
  })
})

test('all faults of the environment are told at once', () => {
  const env = { PARTNER: 'acme', HTTP_PORT: '70000', CONTROL_PORT: 'x', LATENCY_MS: '-1', FAULT: 'sulking' }
  for (const name of Object.keys(env)) expect(() => simulatorConfig(env)).toThrow(name)
  expect(() => simulatorConfig({ PARTNER: 'maas', FAULT: '{' })).toThrow('neither a mode nor JSON')
})
