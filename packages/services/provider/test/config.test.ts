import { expect, test } from 'vitest'
import { providerConfig } from '../src/config.ts'

const good = {
  NATS_URL: 'nats://127.0.0.1:4222',
  SENNINHA_URL: 'http://127.0.0.1:1',
  MAAS_URL: 'https://maas.example/v2',
}

test('addresses are all it needs', () => {
  expect(providerConfig(good)).toMatchObject({
    mesh: { servers: 'nats://127.0.0.1:4222' },
    health: { host: '127.0.0.1', port: 8081 },
    partners: {
      senninha: { partner: 'senninha', url: 'http://127.0.0.1:1', timeoutMs: 10_000 },
      maas: { partner: 'maas', url: 'https://maas.example/v2', timeoutMs: 10_000 },
    },
  })
})

test('faults of the mesh, the health endpoints and the partners are told at once', () => {
  const env = { MALHA_NAMESPACE: 'Not This', HEALTH_PORT: '-1', SENNINHA_URL: 'senninha', PARTNER_TIMEOUT_MS: '0' }
  for (const name of [...Object.keys(env), 'MAAS_URL', 'NATS_URL']) expect(() => providerConfig(env)).toThrow(name)
})
