import { expect, test } from 'vitest'
import { choosePorts } from '../../src/system/ports.ts'
import { reportOf } from '../../src/system/report.ts'
import { drawSystem } from '../../src/view/system-view.ts'

const parts = {
  nats: 'nats://127.0.0.1:4222',
  natsUsers: '/data/users',
  natsMonitor: 'http://127.0.0.1:8222',
  clickhouse: 'http://127.0.0.1:8123',
  traces: 'http://127.0.0.1:16686',
  tracesBackend: 'built-in',
} as const

test('the report has these members and no other: programs read it', async () => {
  const report = reportOf(parts, await choosePorts({}, false), (name) => (name === 'archive' ? null : 42))
  expect(report).toEqual({
    ...parts,
    api: 'http://127.0.0.1:8080',
    partners: { senninha: 'http://127.0.0.1:7001', maas: 'http://127.0.0.1:7002', dmitri: 'http://127.0.0.1:7003' },
    partnerControls: {
      senninha: 'http://127.0.0.1:7101',
      maas: 'http://127.0.0.1:7102',
      dmitri: 'http://127.0.0.1:7103',
    },
    services: {
      'distribution-center': { pid: 42, health: 'http://127.0.0.1:8081' },
      provider: { pid: 42, health: 'http://127.0.0.1:8082' },
      'city-registration': { pid: 42, health: 'http://127.0.0.1:8083' },
      archive: { pid: null, health: 'http://127.0.0.1:8084' },
    },
  })
})

test('the table names every address and a command that registers a centre', async () => {
  const report = reportOf(parts, await choosePorts({}, false), () => 42)
  const text = drawSystem(report, '/data', false)
  const urls = [
    ...Object.values(report.partners),
    ...Object.values(report.partnerControls),
    report.api,
    report.traces,
    report.nats,
  ]
  expect(urls.filter((url) => !text.includes(url))).toEqual([])
  expect(text).toContain("curl -i http://127.0.0.1:8080/centers -H 'content-type: application/json' -d '{")
})
