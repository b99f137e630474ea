import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { eventually } from '@malha/testing'
import pg from 'pg'
import { expect, test } from 'vitest'
import { outbox, relayOutbox } from '../src/index.ts'
import { placed } from './support/contracts.ts'
import { fixture } from './support/fixture.ts'
import { postgresServer } from './support/postgres-server.ts'

const SESSION_MS = 2000
const ROWS = 10
/** What a relay of these rows gets before it is cut off: its questions are answered, its first payloads are not. */
const LET_THROUGH = 256 * 1024

/** A way to PostgreSQL on which nothing more of an answer is taken once it has brought so many bytes; both ends stay open. */
async function stallingWay(port: number): Promise<Disposable & { port: number; isStalled: () => boolean }> {
  const sockets: Socket[] = []
  let isStalled = false
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    sockets.push(client, upstream)
    for (const socket of [client, upstream]) socket.on('error', () => undefined)
    let brought = 0
    client.on('data', (data) => upstream.write(data))
    upstream.on('data', (data) => {
      brought += data.length
      if (brought > LET_THROUGH) {
        isStalled = true
        upstream.pause()
      } else client.write(data)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    isStalled: () => isStalled,
    [Symbol.dispose]: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

test('a relay that is cut off while it is sent what it asked for keeps its partitions no longer than any', async () => {
  await using postgres = await postgresServer()
  await using f = await fixture(postgres)
  const note = 'x'.repeat(900_000)
  await f.transaction(async (client) => {
    for (let n = 0; n < ROWS; n++) await outbox.add(client, placed, { orderId: `o${n}`, n, note })
  })
  using way = await stallingWay(postgres.port)
  const cutOff = new pg.Pool({ connectionString: f.db.url.replace(`:${postgres.port}/`, `:${way.port}/`) })
  cutOff.on('error', () => undefined)
  const first = relayOutbox(f.mesh, cutOff, { pollMs: 200, sessionMs: SESSION_MS })
  await eventually(() => expect(way.isStalled()).toBe(true), { timeoutMs: 20_000 })
  const stopped = first.stop()
  await using _second = relayOutbox(f.mesh, f.db.pool, { pollMs: 200, sessionMs: SESSION_MS })
  await eventually(async () => expect(await f.waiting()).toBe(0), { timeoutMs: 30_000 })
  expect(await f.stored()).toHaveLength(ROWS)
  await stopped
}, 90_000)
