import { getStored } from '@malha/mesh'
import type { NatsConnection } from '@nats-io/transport-node'
import { expect, test } from 'vitest'

/** A server that gives one message back. */
function serverWith(block: string): NatsConnection {
  const hdrs = Buffer.from(block).toString('base64')
  const message = { subject: 'job.made', seq: 1, time: '2026-11-21T12:00:09.12Z', hdrs }
  return { request: async () => ({ json: () => ({ message }) }) } as unknown as NatsConnection
}

test('a message read back has the headers it has when it is delivered', async () => {
  const stored = await getStored(
    serverWith('NATS/1.0\r\nce-id: 1\r\nCe-Id: 2\r\nx:\r\n: nameless\r\nno colon\r\n\r\n'),
    'JOBS',
    { seq: 1 },
  )
  expect(stored?.pairs).toEqual([
    ['ce-id', '1'],
    ['Ce-Id', '2'],
    ['x', ''],
    ['', 'nameless'],
  ])
  expect({ ...stored?.headers }).toEqual({ 'ce-id': '1', x: '', '': 'nameless' })
})

test.each(['a name: with a space', 'nämé: x', 'x: lone\nline feed'])(
  'a line that leaves a delivered message without headers leaves one read back without: %j',
  async (line) => {
    const stored = await getStored(serverWith(`NATS/1.0\r\nce-id: 1\r\n${line}\r\n\r\n`), 'JOBS', { seq: 1 })
    expect(stored?.pairs).toEqual([])
    expect({ ...stored?.headers }).toEqual({})
  },
)
