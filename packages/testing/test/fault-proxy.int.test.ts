import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { eventually } from '../src/eventually.ts'
import { faultProxy } from '../src/fault-proxy.ts'

test('passes bytes both ways and counts them', async () => {
  await using server = await echoServer()
  await using proxy = await faultProxy({ target: server.port })
  using client = await dial(proxy.port)
  client.say('hello')
  await eventually(() => expect(client.heard()).toBe('hello'))
  expect(proxy.counts).toEqual({ connections: 1, open: 1, cut: 0, bytesToServer: 5, bytesToClient: 5 })
})

test('cut destroys what is open, with a reset, and takes new connections', async () => {
  await using server = await echoServer()
  await using proxy = await faultProxy({ target: server.port })
  using first = await dial(proxy.port)
  using second = await dial(proxy.port)
  await eventually(() => expect(proxy.counts.open).toBe(2))
  expect(proxy.cut()).toBe(2)
  await eventually(() => expect([first.ended(), second.ended()]).toEqual(['ECONNRESET', 'ECONNRESET']))
  using third = await dial(proxy.port)
  third.say('again')
  await eventually(() => expect(third.heard()).toBe('again'))
  expect(proxy.counts).toMatchObject({ connections: 3, open: 1, cut: 2 })
})

test('stalling the answers lets the requests through, and resume brings what was held', async () => {
  await using server = await echoServer()
  await using proxy = await faultProxy({ target: server.port })
  using client = await dial(proxy.port)
  proxy.stall('toClient')
  client.say('kept')
  await eventually(() => expect(server.heard()).toBe('kept'))
  expect(client.heard()).toBe('')
  expect(proxy.counts.bytesToClient).toBe(0)
  proxy.resume('toClient')
  await eventually(() => expect(client.heard()).toBe('kept'))
})

test('stalling the requests keeps them from the server, for new connections too', async () => {
  await using server = await echoServer()
  await using proxy = await faultProxy({ target: server.port })
  proxy.stall('toServer')
  using client = await dial(proxy.port)
  client.say('held')
  await eventually(() => expect(proxy.counts.open).toBe(1))
  expect(server.heard()).toBe('')
  proxy.resume()
  await eventually(() => expect(server.heard()).toBe('held'))
})

test('refuse makes connecting fail with ECONNREFUSED, accept takes the same port again', async () => {
  await using server = await echoServer()
  await using proxy = await faultProxy({ target: server.port })
  using open = await dial(proxy.port)
  await proxy.refuse()
  await eventually(() => expect(open.ended()).toBeDefined())
  await expect(dial(proxy.port)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  await proxy.accept()
  using client = await dial(proxy.port)
  client.say('back')
  await eventually(() => expect(client.heard()).toBe('back'))
})

test('dropAfter lets exactly that many bytes through and then cuts, once', async () => {
  await using server = await echoServer()
  await using proxy = await faultProxy({ target: server.port })
  using client = await dial(proxy.port)
  proxy.dropAfter(7)
  client.say('four')
  await eventually(() => expect(client.heard()).toBe('four'))
  client.say('more than is let through')
  await eventually(() => expect(client.ended()).toBeDefined())
  await eventually(() => expect(server.heard()).toBe('fourmor'))
  using next = await dial(proxy.port)
  next.say('all of this')
  await eventually(() => expect(next.heard()).toBe('all of this'))
  expect(proxy.counts.cut).toBe(1)
})

test('a delay one way brings everything later, in order and to the last byte, and is over at 0', async () => {
  await using server = await echoServer()
  await using proxy = await faultProxy({ target: server.port })
  using client = await dial(proxy.port)
  proxy.delay(200, 'toClient')
  const saidAt = performance.now()
  client.say('late ')
  await eventually(() => expect(server.heard()).toBe('late '))
  expect(client.heard()).toBe('')
  proxy.delay(0)
  client.say('but in order')
  await eventually(() => expect(server.heard()).toBe('late but in order'))
  server.hangUp()
  await eventually(() => expect(client.ended()).toBe('closed'))
  expect(client.heard()).toBe('late but in order')
  expect(performance.now() - saidAt).toBeGreaterThan(199)
})

test('what a delay holds does not get past a stall that came later', async () => {
  await using server = await echoServer()
  await using proxy = await faultProxy({ target: server.port })
  using client = await dial(proxy.port)
  proxy.delay(50, 'toServer')
  client.say('under way')
  await eventually(() => expect(proxy.counts.open).toBe(1))
  proxy.stall('toServer')
  using other = await dial(proxy.port)
  proxy.delay(0)
  other.say('new')
  // Twice as long as the first is delayed: nothing that should come, but what must not.
  await sleep(100)
  expect(server.heard()).toBe('')
  proxy.resume()
  await eventually(() => expect(client.heard() + other.heard()).toBe('under waynew'))
})

test('keeps the scheme of its target, and names a target without a port', async () => {
  await using server = await echoServer()
  await using proxy = await faultProxy({ target: `nats://127.0.0.1:${server.port}` })
  expect(proxy.url).toBe(`nats://127.0.0.1:${proxy.port}`)
  await expect(faultProxy({ target: 'localhost' })).rejects.toThrow('"localhost" names no port')
})

type Echo = AsyncDisposable & { port: number; heard(): string; hangUp(): void }

async function echoServer(): Promise<Echo> {
  const sockets = new Set<Socket>()
  let heard = ''
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      heard += String(chunk)
      socket.write(chunk)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    heard: () => heard,
    hangUp() {
      for (const socket of sockets) socket.end()
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

type Client = Disposable & { say(text: string): void; heard(): string; ended(): string | undefined }

async function dial(port: number): Promise<Client> {
  const socket = connect(port, '127.0.0.1')
  let heard = ''
  let ended: string | undefined
  socket.on('data', (chunk) => void (heard += String(chunk)))
  await once(socket, 'connect')
  socket.on('error', (error: NodeJS.ErrnoException) => void (ended = error.code))
  socket.on('close', () => void (ended ??= 'closed'))
  return {
    say: (text) => void socket.write(text),
    heard: () => heard,
    ended: () => ended,
    [Symbol.dispose]: () => void socket.destroy(),
  }
}
