import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { testServer } from '@malha/testing'
import { nkeys } from '@nats-io/transport-node'
import { afterEach, expect, test, vi } from 'vitest'
import { MeshError } from '../../src/errors.ts'
import { connectNats } from '../../src/lifecycle/connect.ts'
import { type MeshOptions, resolveMeshOptions } from '../../src/lifecycle/options.ts'
import type { Logger } from '../../src/observe/logger.ts'

const SECRET = 'Sup3rS3cret'

/** All that this process said while a test ran. */
const said: string[] = []
const note = (...parts: unknown[]): void => void said.push(parts.map((part) => inspect(part, { depth: 9 })).join(' '))
const log: Logger = { debug: note, info: note, warn: note, error: note }
for (const method of ['log', 'info', 'warn', 'error', 'trace', 'debug'] as const)
  vi.spyOn(console, method).mockImplementation(note)

afterEach(() => {
  const leaks = said.filter((line) => line.includes(SECRET))
  said.length = 0
  if (leaks.length > 0) throw new Error(`a secret was said in ${leaks.length} lines`)
})

async function refused(options: Partial<MeshOptions>): Promise<MeshError> {
  const resolved = resolveMeshOptions({ servers: '', logger: log, ...options })
  try {
    await (await connectNats(resolved)).close()
  } catch (error) {
    note(error)
    if (error instanceof MeshError) return error
    throw error
  }
  throw new Error('it connected')
}

async function withFile<T>(text: string, run: (file: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'mesh-creds-'))
  try {
    await writeFile(join(dir, 'file'), text)
    return await run(join(dir, 'file'))
  } finally {
    await rm(dir, { recursive: true })
  }
}

/** Greets as a nats-server of some version does, and answers pings. */
async function scripted(greeting: string): Promise<AsyncDisposable & { url: string }> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.write(greeting)
    socket.on('data', (data) => data.toString().includes('PING') && socket.write('PONG\r\n'))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    url: `nats://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

test('it connects, under its name, and keeps coming back', async () => {
  await using server = await testServer()
  await using nc = await connectNats(resolveMeshOptions({ servers: server.url, name: 'provider/1' }))
  expect(nc.info?.version).toMatch(/^2\./)
  const { options } = nc as unknown as { options: object }
  expect(options).toMatchObject({
    name: 'provider/1',
    maxReconnectAttempts: -1,
    pingInterval: 15_000,
    noAsyncTraces: true,
    ignoreAuthErrorAbort: true,
  })
})

test('an unreachable server is named by host and port, credentials are not', async () => {
  const closed = await scripted('')
  await closed[Symbol.asyncDispose]()
  const error = await refused({ servers: closed.url.replace('//', `//user:${SECRET}@`) })
  expect(error.code).toBe('MESH_CONNECT_FAILED')
  expect(error.message).toContain(closed.url.replace('nats://', ''))
  expect(error.message).toContain('Is nats-server running')
})

test('of several servers one that answers is enough', async () => {
  const closed = await scripted('')
  await closed[Symbol.asyncDispose]()
  await using server = await testServer()
  await using nc = await connectNats(resolveMeshOptions({ servers: [closed.url, server.url] }))
  expect(nc.isClosed()).toBe(false)
})

test('a host name nobody knows is told apart from a server that is down', async () => {
  const { code, message } = await refused({ servers: 'nats://no-such-host.invalid:4222' })
  expect(code).toBe('MESH_CONNECT_FAILED')
  expect(message).toMatch(/host name (is not known|could not be looked up)/)
})

test('a server that accepts and says nothing ends in an error, not in waiting', async () => {
  await using mute = await scripted('')
  const { code, message } = await refused({ servers: mute.url })
  expect(code).toBe('MESH_CONNECT_FAILED')
  expect(message).toContain('no answer in two tries of 5 s each')
})

test('what is no nats-server is called that', async () => {
  await using web = await scripted('HTTP/1.1 400 Bad Request\r\n\r\n')
  expect((await refused({ servers: web.url })).message).toContain('no nats-server')
})

test('a server older than the floor is refused by version', async () => {
  const info = { server_id: 'X', version: '2.11.4', proto: 1, jetstream: true, headers: true, max_payload: 1048576 }
  await using old = await scripted(`INFO ${JSON.stringify(info)}\r\n`)
  const { code, message } = await refused({ servers: old.url })
  expect(code).toBe('MESH_SERVER_TOO_OLD')
  expect(message).toMatch(/version 2\.11\.4; the mesh needs 2\.14\.0/)
})

test('a server without JetStream is refused', async () => {
  await using server = await testServer({ config: 'jetstream: disabled' })
  const { code, message } = await refused({ servers: server.url })
  expect(code).toBe('MESH_JETSTREAM_OFF')
  expect(message).toContain('-js')
})

test('an account without JetStream is refused', async () => {
  await using server = await testServer({ config: `accounts { APP { users: [{user: app, password: ${SECRET}}] } }` })
  const { code } = await refused({ servers: server.url, user: 'app', password: SECRET })
  expect(code).toBe('MESH_JETSTREAM_OFF')
})

test('wrong credentials are refused, whatever their kind, and none is repeated', async () => {
  await using server = await testServer({ config: 'authorization { user: app, password: right }' })
  const servers = server.url
  const seed = new TextDecoder().decode(nkeys.createUser().getSeed())
  const errors = [
    await refused({ servers }),
    await refused({ servers, user: 'app', password: SECRET }),
    await refused({ servers: servers.replace('//', `//app:${SECRET}@`) }),
    await refused({ servers, token: SECRET }),
    await withFile(`${seed}\n`, (nkeySeedFile) => refused({ servers, nkeySeedFile })),
  ]
  expect(errors.map(({ code }) => code)).toEqual(Array(5).fill('MESH_AUTH_FAILED'))
  for (const { message } of errors) expect(message).toContain(server.url.replace('nats://', ''))
  expect(said.join()).not.toContain(seed)
})

test('an nkey seed file is an identity', async () => {
  const user = nkeys.createUser()
  await using server = await testServer({ config: `authorization { users: [{nkey: ${user.getPublicKey()}}] }` })
  await withFile(new TextDecoder().decode(user.getSeed()), async (nkeySeedFile) => {
    await using nc = await connectNats(resolveMeshOptions({ servers: server.url, nkeySeedFile }))
    expect(nc.isClosed()).toBe(false)
  })
})

test('a credentials file that is missing or holds something else is a fault that names the file only', async () => {
  const servers = 'nats://127.0.0.1:1'
  expect((await refused({ servers, credsFile: '/nowhere/creds' })).message).toContain('/nowhere/creds does not exist')
  await withFile(`-----BEGIN ${SECRET}`, async (file) => {
    for (const options of [{ credsFile: file }, { nkeySeedFile: file }]) {
      const error = await refused({ servers, ...options })
      expect(error.code).toBe('MESH_INVALID_OPTIONS')
      expect(error.message).toContain(file)
    }
  })
})

test('TLS asked of a server that has none, and TLS files that are missing, are explained', async () => {
  await using server = await testServer()
  expect((await refused({ servers: server.url.replace('nats:', 'tls:') })).message).toContain('the server has none')
  const files = await refused({ servers: server.url, tls: { caFile: '/nowhere/ca.pem' } })
  expect(files.message).toContain('/nowhere/ca.pem does not exist')
})

test('a user with least privilege connects; with the wrong inbox it is told which setting to change', async () => {
  await using server = await testServer({
    config: `authorization { users: [{user: svc, password: ${SECRET}, permissions: {
      publish: ["$JS.API.STREAM.INFO.>"], subscribe: ["_INBOX_svc.>"]}},
      {user: half, password: ${SECRET}, permissions: {publish: ">", subscribe: ["_INBOX_svc.>"]}}] }`,
  })
  const login = { servers: server.url, password: SECRET }
  await using nc = await connectNats(resolveMeshOptions({ ...login, user: 'svc', inboxPrefix: '_INBOX_svc' }))
  expect(nc.isClosed()).toBe(false)
  const error = await refused({ ...login, user: 'half' })
  expect(error.code).toBe('MESH_AUTH_FAILED')
  expect(error.message).toContain('NATS_INBOX_PREFIX')
})
