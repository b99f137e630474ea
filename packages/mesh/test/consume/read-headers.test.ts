import type { Msg } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { type MessageHeaders, readHeaders } from '../../src/consume/read-headers.ts'

/** A message as the client leaves it: its headers are the bytes before its payload. */
function received(block: string, firstLine = 'NATS/1.0'): MessageHeaders {
  const before = Buffer.from('HMSG job.made 1 $JS.ACK.JOBS.worker_work.1.7.7.1767225600500000000.0\r\n')
  const head = Buffer.from(`${firstLine}\r\n${block}\r\n`)
  const all = Buffer.concat([before, head, Buffer.from('{}')])
  const data = all.subarray(before.length + head.length)
  return readHeaders({ data, _msg: { hdr: head.length } } as unknown as Msg, data)
}

const lines = (pairs: readonly (readonly [string, string])[]): string =>
  pairs.map(([name, value]) => `${name}: ${value}\r\n`).join('')

test('values that stay and values that change are both read, message after message', () => {
  for (let n = 0; n < 30; n++) {
    const pairs = [
      ['ce-id', `m${n}`],
      ['ce-type', 'job.made'],
      ['ce-source', n < 20 ? '/one' : '/another'],
      ['ce-type', 'the second is not looked up'],
    ] as const
    const headers = received(lines(pairs))
    expect(headers.pairs()).toEqual(pairs)
    expect(headers.header('ce-type')).toBe('job.made')
    expect(headers.record()).toEqual({ 'ce-id': `m${n}`, 'ce-type': 'job.made', 'ce-source': pairs[2][1] })
  }
})

test('publishers with other names in another order are told apart, more of them than are remembered', () => {
  for (let round = 0; round < 3; round++)
    for (let publisher = 0; publisher < 12; publisher++) {
      const pairs = [['ce-id', `${round}`] as const, [`X-${publisher}`, 'a'] as const, ['ce-type', 't'] as const]
      const sent = publisher % 2 ? pairs : pairs.toReversed()
      expect(received(lines(sent)).pairs()).toEqual(sent)
      expect(received(lines(sent)).header(`x-${publisher}`)).toBe('a')
    }
})

test('a value that begins like the one before it is read whole', () => {
  for (const value of ['a', 'ab', 'a', 'a:b', 'ab'])
    expect(received(lines([['ce-id', value]])).header('ce-id')).toBe(value)
})

test('a name is found in whatever case it came, and spaces around a value are none of it', () => {
  const headers = received('Ce-Id:  m1 \r\nX-Empty:\r\n')
  expect(headers.header('ce-id')).toBe('m1')
  expect(headers.header('x-empty')).toBe('')
  expect(headers.header('ce-type')).toBeUndefined()
})

test.each([
  ['a line feed', 'ce-id: a\nb\r\n'],
  ['a carriage return', 'ce-id: a\rb\r\n'],
  ['a name with a space', 'ce id: a\r\n'],
])('%s where none may be leaves no headers, also after an ordinary message', (_, block) => {
  for (let n = 0; n < 3; n++) received('ce-id: a\r\n')
  expect(received(block).pairs()).toEqual([])
})

test('a first line that is another is not taken for ours, however alike', () => {
  for (let n = 0; n < 3; n++) received('ce-id: a\r\n')
  expect(received('ce-id: a\r\n', 'NATS/1x0').pairs()).toEqual([])
})

test('a line without a colon is none', () => {
  for (let n = 0; n < 2; n++) expect(received('what\r\nce-id: a\r\n').pairs()).toEqual([['ce-id', 'a']])
})
