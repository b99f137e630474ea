import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { inheritedEnv, partnerPlan, serviceNames, servicePlan } from '../../src/system/processes.ts'
import { choosePorts } from '../../src/system/ports.ts'

const places = {
  nats: 'nats://n',
  clickhouse: 'http://c',
  otlp: 'http://o',
  spool: '/data/dc/spool.db',
  as: (user: string) => ({ NATS_NKEY_SEED_FILE: `/data/users/${user}.nk` }),
}

test('every process has an entry that exists', async () => {
  const ports = await choosePorts({}, false)
  const plans = [...serviceNames.map((name) => servicePlan(name, ports, places)), partnerPlan('maas', ports, '/data')]
  expect(plans.map(({ main }) => main).filter((main) => !existsSync(main))).toEqual([])
})

test('a service is told addresses, who it is, and nothing else: no retry time, no special mode', async () => {
  const { env } = servicePlan('provider', await choosePorts({}, false), places)
  expect(Object.keys(env).sort()).toEqual([
    'DMITRI_URL',
    'HEALTH_PORT',
    'MAAS_URL',
    'NATS_NKEY_SEED_FILE',
    'NATS_URL',
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    'SENNINHA_URL',
  ])
  expect(env['NATS_NKEY_SEED_FILE']).toBe('/data/users/provider.nk')
})

test('the API keeps what it accepts while the broker is away in its own folder', async () => {
  const { env } = servicePlan('distribution-center', await choosePorts({}, false), places)
  expect(env['MALHA_SPOOL_FILE']).toBe('/data/dc/spool.db')
})

test('what configures another mesh is not passed on, all else is', () => {
  const env = { NATS_CREDS_FILE: 'x', MALHA_NAMESPACE: 'prod', OTEL_SDK_DISABLED: '1', PATH: '/bin', HTTP_PROXY: 'p' }
  expect(inheritedEnv({ ...env, MALHA_CACHE: '/cache' })).toEqual({
    PATH: '/bin',
    HTTP_PROXY: 'p',
    NODE_COMPILE_CACHE: '/cache/compiled',
  })
})
