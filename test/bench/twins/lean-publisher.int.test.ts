import { jetstreamManager } from '@nats-io/jetstream'
import { testServer } from '@malha/testing'
import { expect, test } from 'vitest'
import { connectBench, orderOf, provisionOrders } from '../orders.ts'
import type { Setup } from '../protocol.ts'
import { leanSide } from '../sides/lean.ts'
import { meshSide } from '../sides/mesh.ts'
import { ORDERS_STREAM } from './connect.ts'

test('the lean twin stores what the mesh stores, byte for byte but for ids and times', async () => {
  await using server = await testServer()
  await using mesh = await connectBench(server.url, 1)
  await provisionOrders(mesh)
  const setup: Setup = {
    servers: server.url,
    variant: 'mesh',
    part: 0,
    payloadBytes: 128,
    replicas: 1,
    messages: 1,
    settings: {},
  }
  for (const side of [meshSide(), leanSide]) {
    const publisher = await side.publisher(setup)
    await publisher.inContext(() => publisher.publish(orderOf(128)(7)))
    await publisher.close()
  }
  const jsm = await jetstreamManager(mesh.nats)
  const [first, second] = await Promise.all([1, 2].map((seq) => jsm.streams.getMessage(ORDERS_STREAM, { seq })))
  const shape = ({ subject, data, header }: NonNullable<typeof first>) => ({
    subject,
    bytes: data.length,
    payload: new TextDecoder().decode(data),
    headers: [...header].map(([name, [value]]) => [name, isOwn(name) ? value!.replaceAll(/[0-9a-f]/g, 'x') : value]),
  })
  expect(shape(second!)).toEqual(shape(first!))
  expect(shape(first!)).toMatchObject({ bytes: 128 })
  expect(shape(first!).headers.map(([name]) => name)).toContain('traceparent')
})

/** Each message has its own. */
const isOwn = (name: string): boolean => ['ce-id', 'ce-correlationid', 'ce-time', 'Nats-Msg-Id'].includes(name)
