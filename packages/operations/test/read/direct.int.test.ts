import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { defineService, event, stream } from '@malha/mesh'
import { eventually, testMesh, testServer } from '@malha/testing'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { directBatch } from '../../src/read/direct-batch.ts'
import { readThese } from '../../src/read/read-these.ts'

const orders = stream('ORDERS', { subjects: ['order.>'] })
const placed = event('order.placed', { stream: orders, schema: z.object({ n: z.number() }) })
const shop = defineService('shop', { publishes: [placed], handlers: {} })

/** As any client may write them, with headers that no client library would send. */
async function store(socket: Socket, subject: string, header: string, payload: string): Promise<void> {
  const head = `NATS/1.0\r\n${header}\r\n\r\n`
  const size = Buffer.byteLength(head)
  socket.write(`HPUB ${subject} ${size} ${size + payload.length}\r\n${head}${payload}\r\n`)
}

async function plainSocket(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  await once(socket, 'data')
  socket.write('CONNECT {"headers":true,"verbose":false,"pedantic":false}\r\n')
  return socket
}

const HOSTILE = [
  ['names that are the server’s', 'Nats-Sequence: 99\r\nNats-Subject: order.other\r\nNats-Time-Stamp: never'],
  ['a name with a space', 'not a name: 1\r\nNats-Sequence: 99'],
  ['half a line end', 'ce-id: a\nNats-Sequence: 99'],
] as const

describe('messages read from replicas', () => {
  it.each(HOSTILE)('stand where they stand, with %s among their headers', async (_, header) => {
    await using server = await testServer()
    await using test = await testMesh({ server })
    const { mesh } = test
    const running = await mesh.start(shop)
    const socket = await plainSocket(server.url)
    const name = mesh.names.stream('ORDERS')
    const subject = mesh.names.subject('order.placed')
    for (const payload of ['{}', '', '{}']) await store(socket, subject, header, payload)
    await eventually(async () => expect(await directBatch(mesh, name, { seq: 1, batch: 10 })).toHaveLength(3))
    const found = await directBatch(mesh, name, { seq: 1, batch: 10 })
    expect(found.map((each) => [each.subject, each.seq, each.pending])).toEqual([
      [subject, 1, 2],
      [subject, 2, 1],
      [subject, 3, 0],
    ])
    for (const { timestamp } of found) expect(Date.parse(timestamp)).toBeGreaterThan(Date.now() - 60_000)
    socket.destroy()
    await running.stop()
  })

  it('are found by their numbers, close together or far apart, without those that are gone', async () => {
    await using test = await testMesh()
    const { mesh } = test
    const running = await mesh.start(shop)
    for (let n = 1; n <= 40; n++) await mesh.publish(placed, { n })
    const name = mesh.names.stream('ORDERS')
    await mesh.nats.request(`$JS.API.STREAM.MSG.DELETE.${name}`, JSON.stringify({ seq: 21 }))
    const numberIn = ({ payload }: { payload: Buffer }): unknown => JSON.parse(payload.toString())
    const far = await readThese(mesh, name, [1, 21, 39, 40, 41], numberIn)
    expect(Object.fromEntries(far)).toEqual({ 1: { n: 1 }, 39: { n: 39 }, 40: { n: 40 } })
    const near = await readThese(mesh, name, [19, 20, 21, 22], numberIn)
    expect(Object.fromEntries(near)).toEqual({ 19: { n: 19 }, 20: { n: 20 }, 22: { n: 22 } })
    expect((await readThese(mesh, name, [], numberIn)).size).toBe(0)
    await running.stop()
  })

  it('are an error that says so where there is no such stream', async () => {
    await using test = await testMesh()
    await expect(directBatch(test.mesh, 'NOWHERE', { seq: 1, batch: 1 })).rejects.toThrow(/NOWHERE .*503/)
  })
})
