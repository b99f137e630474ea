import { testServer } from '@malha/testing'
import { connect, type headers, type Msg, type NatsConnection } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { readHeaders } from '../../src/consume/read-headers.ts'
import { headerPairs } from '../../src/message/envelope.ts'
import { HeaderBlock, headerLines, type HeaderPairs } from '../../src/message/headers.ts'

/** A message as it comes back from a server. */
async function sent(nc: NatsConnection, payload: string, pairs: HeaderPairs): Promise<Msg> {
  const sub = nc.subscribe('here', { max: 1 })
  const block =
    pairs.length > 0 ? { headers: new HeaderBlock(headerLines(pairs)) as unknown as ReturnType<typeof headers> } : {}
  nc.publish('here', payload, { ...block, reply: 'São.Paulo' })
  for await (const msg of sub) return msg
  throw new Error('nothing came')
}

const MANY: HeaderPairs = [
  ['ce-id', '1'],
  ['Ce-Type', 'job.made'],
  ['x-empty', ''],
  ['x-spaced', '  a: b  '],
  ['x-text', 'São Paulo'],
  ['twice', 'one'],
  ['twice', 'two'],
]

test.each([
  ['with headers', '{"n":1}', MANY],
  ['with headers and no payload', '', MANY],
  ['with a payload over many reads', 'x'.repeat(300_000), MANY],
  ['without headers', 'NATS/1.0\r\nce-id: 2\r\n\r\n', []],
])('a message %s is read as the client reads it', async (_, payload, pairs) => {
  await using server = await testServer()
  const nc = await connect({ servers: server.url })
  // Another one just before it: its bytes are in the same buffer.
  void sent(nc, 'before', [['ce-id', 'of another']])
  const msg = await sent(nc, payload, pairs)
  const read = headerPairs(msg.headers)
  expect(readHeaders(msg, msg.data).pairs()).toEqual(read)
  expect(read.length).toBe(pairs.length)
  // The client leaves the headers where they are looked for; else each delivery would cost a third more.
  Object.defineProperty(msg, 'headers', { value: undefined })
  expect(readHeaders(msg, msg.data).pairs()).toEqual(read)
  await nc.close()
})

test.each(['bad name', 'nämé'])('a header name the client refuses leaves no headers: %s', async (name) => {
  await using server = await testServer()
  const nc = await connect({ servers: server.url })
  const msg = await sent(nc, 'x', [
    ['ce-id', '1'],
    [name, 'x'],
  ])
  expect(() => msg.headers).toThrow('not a valid character')
  expect(readHeaders(msg, msg.data).pairs()).toEqual([])
  await nc.close()
})
