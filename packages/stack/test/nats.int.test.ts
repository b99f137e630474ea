import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startNats, startNatsCluster } from '../src/index.ts'
import { natsRequest } from './fixtures/nats-request.ts'
import { isAlive, until } from './fixtures/processes.ts'
import { tempDir } from './fixtures/temp-dir.ts'

const ORDERS = { name: 'ORDERS', subjects: ['orders'], storage: 'file' }

async function messagesIn(port: number): Promise<unknown> {
  const info = (await natsRequest(port, '$JS.API.STREAM.INFO.ORDERS')) as { state?: { messages: number } }
  return info.state?.messages
}

/** Undefined while nobody leads the stream: then nobody answers. */
async function messagesNow(port: number): Promise<unknown> {
  const info = await natsRequest(port, '$JS.API.STREAM.INFO.ORDERS', '', 1000).catch(() => undefined)
  return (info as { state?: { messages: number } } | undefined)?.state?.messages
}

test('a stream is still there after SIGTERM and after SIGKILL, on the same folder and port', async () => {
  await using dir = await tempDir()
  const first = await startNats({ dataDir: dir.path })
  await natsRequest(first.port, '$JS.API.STREAM.CREATE.ORDERS', ORDERS)
  await natsRequest(first.port, 'orders', 'one')
  await first.stop()
  expect(await isAlive(first.pid)).toBe(false)

  const same = { dataDir: dir.path, port: first.port, monitorPort: first.monitorPort }
  const second = await startNats(same)
  expect(await messagesIn(second.port)).toBe(1)
  await natsRequest(second.port, 'orders', 'two')
  second.kill()
  await second.exited

  await using third = await startNats(same)
  expect(await messagesIn(third.port)).toBe(2)
})

test('a restart right after a kill nobody waited for finds the folder free', async () => {
  await using dir = await tempDir()
  const first = await startNats({ dataDir: dir.path })
  await natsRequest(first.port, '$JS.API.STREAM.CREATE.ORDERS', ORDERS)
  first.kill()
  await using second = await startNats({ dataDir: dir.path, port: first.port, monitorPort: first.monitorPort })
  expect(await messagesIn(second.port)).toBe(0)
})

test('two servers at once get ports of their own and answer for themselves', async () => {
  await using dir = await tempDir()
  const [a, b] = await Promise.all(['a', 'b'].map((name) => startNats({ dataDir: join(dir.path, name) })))
  await using first = a as NonNullable<typeof a>
  await using second = b as NonNullable<typeof b>
  expect(new Set([first.port, first.monitorPort, second.port, second.monitorPort]).size).toBe(4)
})

test('a taken port is an error that names the port and the flag, for clients and for the monitor', async () => {
  await using dir = await tempDir()
  const taken = createServer().listen(0, '127.0.0.1')
  await until(() => taken.listening)
  const { port } = taken.address() as AddressInfo
  const flags = { port: '--nats-port', monitorPort: '--monitor' }
  const dataDir = dir.path
  await expect(startNats({ dataDir, port, flags })).rejects.toMatchObject({
    code: 'STACK_PORT_TAKEN',
    port,
    message: expect.stringMatching(new RegExp(`port ${port}\\b.*--nats-port`)) as string,
  })
  await expect(startNats({ dataDir, monitorPort: port, flags })).rejects.toMatchObject({
    port,
    message: expect.stringMatching(/--monitor/) as string,
  })
  taken.close()
})

test('a configuration the server refuses is an error with the lines it wrote', async () => {
  await using dir = await tempDir()
  const start = startNats({ dataDir: dir.path, config: 'max_payload: "many"' })
  await expect(start).rejects.toMatchObject({
    code: 'STACK_EXITED',
    message: expect.stringMatching(/nats-server\.conf:\d+/) as string,
  })
})

test('lines of configuration are applied after the stack’s own', async () => {
  await using dir = await tempDir()
  await using server = await startNats({ dataDir: dir.path, config: 'max_payload: 2048', maxStoreBytes: 5_000_000 })
  const varz = (await (await fetch(`${server.monitorUrl}/varz`)).json()) as {
    max_payload: number
    jetstream: { config: { max_storage: number } }
  }
  expect(varz.max_payload).toBe(2048)
  expect(varz.jetstream.config.max_storage).toBe(5_000_000)
})

test('a cluster of three keeps a replicated stream while one node is killed and comes back', async () => {
  await using dir = await tempDir()
  await using cluster = await startNatsCluster({ dataDir: dir.path })
  const [first, second, third] = cluster.nodes
  if (!first || !second || !third) throw new Error('a cluster has three nodes')
  expect(cluster.url.split(',')).toEqual([first.url, second.url, third.url])
  await natsRequest(first.port, '$JS.API.STREAM.CREATE.ORDERS', { ...ORDERS, num_replicas: 3 })
  await natsRequest(first.port, 'orders', 'one')

  await first.kill()
  expect(first.pid).toBeUndefined()
  await until(async () => (await messagesNow(second.port)) === 1)
  await first.start()
  await until(async () => (await messagesNow(first.port)) === 1)
})
