import { testServer } from '@malha/testing'
import { connect, type Msg, type NatsConnection } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { commandWriter } from '../../src/lifecycle/command-writer.ts'

test('the client lets commands through as they are, and counts them', async () => {
  await using server = await testServer()
  await using nc = await connect({ servers: server.url })
  const write = commandWriter(nc)
  expect(write, 'this client writes in another way: acks and publishes cost twice as much').toBeDefined()
  const came: string[] = []
  const sub = nc.subscribe('here.*', {
    callback: (_, { subject, data }: Msg) => void came.push(`${subject} ${text(data)}`),
  })
  const before = nc.stats()
  write!(2, Buffer.from('PUB here.1 3\r\none\r\nPUB here.2 5\r\nSão \r\n'))
  nc.publish('here.3', 'three')
  await nc.flush()
  expect(came).toEqual(['here.1 one', 'here.2 São ', 'here.3 three'])
  expect(nc.stats().outMsgs - before.outMsgs).toBe(3)
  sub.unsubscribe()
})

test('a client without that way has none', () => {
  expect(commandWriter({} as NatsConnection)).toBeUndefined()
  expect(commandWriter({ protocol: { sendCommand: () => undefined } } as unknown as NatsConnection)).toBeUndefined()
})

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()
