import { expect, test } from 'vitest'
import { cacheDir } from '../src/cache.ts'
import { serverConfig } from '../src/clickhouse/config.ts'
import { portTaken } from '../src/errors.ts'
import { isAtLeast } from '../src/nats/binary.ts'
import { natsConfig } from '../src/nats/config.ts'
import { jaegerConfig } from '../src/traces/jaeger-config.ts'

test('versions are compared by number, not by letter', () => {
  expect(isAtLeast('2.14.0', '2.14')).toBe(true)
  expect(isAtLeast('2.100.0', '2.14')).toBe(true)
  expect(isAtLeast('3.0.0', '2.14')).toBe(true)
  expect(isAtLeast('2.9.9', '2.14')).toBe(false)
})

test('the cache is where MALHA_CACHE says, else where the user keeps caches', () => {
  expect(cacheDir({ MALHA_CACHE: '/c', XDG_CACHE_HOME: '/x', HOME: '/h' })).toBe('/c')
  expect(cacheDir({ XDG_CACHE_HOME: '/x', HOME: '/h' })).toBe('/x/malha')
  expect(cacheDir({ HOME: '/h' })).toBe('/h/.cache/malha')
  expect(cacheDir({ HOME: '' })).toMatch(/^\/.*\.cache\/malha$/)
})

test('a folder with quotes and spaces stays one value in the configuration of nats-server', () => {
  const text = natsConfig({
    name: 'n1',
    token: 't',
    port: 1,
    monitorPort: 2,
    dataDir: '/a "b" c',
    config: 'debug: true',
  })
  expect(text).toContain('store_dir: "/a \\"b\\" c"')
  expect(text.trimEnd().endsWith('debug: true')).toBe(true)
})

test('a folder with signs of XML stays text in the configuration of ClickHouse', () => {
  expect(serverConfig({ token: 't', dataDir: '/a<b>&c', port: 1 })).toContain('<path>/a&lt;b&gt;&amp;c/store/</path>')
})

test('Jaeger keeps spans in memory, and on disk when it is given a folder', () => {
  const ports = { port: 1, queryPort: 2, grpcPort: 3 }
  type Config = { extensions: { jaeger_storage: { backends: { traces: object } } } }
  const backend = (dir?: string): object =>
    (JSON.parse(jaegerConfig(ports, { dataDir: dir })) as Config).extensions.jaeger_storage.backends.traces
  expect(backend()).toHaveProperty('memory')
  expect(backend('/d')).toMatchObject({ badger: { ephemeral: false, directories: { keys: '/d/keys' } } })
})

test('the page of Jaeger is configured by a file where there is something to say', () => {
  const ports = { port: 1, queryPort: 2, grpcPort: 3 }
  type Config = { extensions: { jaeger_query: { ui?: object } } }
  const query = (pageFile?: string): object =>
    (JSON.parse(jaegerConfig(ports, { pageFile })) as Config).extensions.jaeger_query
  expect(query('/d/ui.json')).toMatchObject({ ui: { config_file: '/d/ui.json' } })
  expect(query()).not.toHaveProperty('ui')
})

test('the error of a taken port carries the port and tells the way out', () => {
  const error = portTaken(8123, 'ClickHouse', '--clickhouse-port')
  expect(error).toMatchObject({ code: 'STACK_PORT_TAKEN', port: 8123 })
  expect(error.message).toBe(
    'STACK_PORT_TAKEN: port 8123 of 127.0.0.1, wanted for ClickHouse, is taken by another process: end that one, or choose another port with --clickhouse-port',
  )
})
