import { expect, test } from 'vitest'
import { choosePorts, optionOf, portNames, portTable } from '../../src/system/ports.ts'

test('without flags every port is the documented default', async () => {
  const ports = await choosePorts({}, false)
  expect(ports).toMatchObject({ nats: 4222, natsMonitor: 8222, clickhouse: 8123, otlp: 4318, traces: 16686, api: 8080 })
  expect([ports.senninha, ports.maas, ports.dmitriControl, ports.distributionCenterHealth]).toEqual([
    7001, 7002, 7103, 8081,
  ])
})

test('no two names share a flag or a default', () => {
  expect(new Set(portNames.map((name) => portTable[name].flag)).size).toBe(portNames.length)
  expect(new Set(portNames.map((name) => portTable[name].port)).size).toBe(portNames.length)
})

test('a flag moves its port and no other', async () => {
  const [moved, kept] = [await choosePorts({ api: 9090 }, false), await choosePorts({}, false)]
  expect(moved).toEqual({ ...kept, api: 9090 })
})

test('one port for two things is refused with both flags', async () => {
  await expect(choosePorts({ api: 7001 }, false)).rejects.toThrow(
    'port 7001 is asked for twice: --api-port and --senninha-port',
  )
})

test('random ports differ from one another, and a flag still wins', async () => {
  const ports = await choosePorts({ nats: 4999 }, true)
  expect(ports.nats).toBe(4999)
  expect(new Set(Object.values(ports)).size).toBe(portNames.length)
})

test('an option is named as commander names it', () => {
  expect(optionOf('natsMonitor')).toBe('natsMonitorPort')
  expect(optionOf('cityRegistrationHealth')).toBe('cityRegistrationHealthPort')
})
