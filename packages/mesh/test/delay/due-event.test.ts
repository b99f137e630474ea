import { expect, test } from 'vitest'
import type { Delivery } from '../../src/consume/delivery.ts'
import { readDueEvent } from '../../src/delay/due-event.ts'
import { receivedHeaders } from '../../src/message/envelope.ts'
import { names } from '../../src/topology/names.ts'

const of = names('t')
const type = 'order.timed-out'

const ONCE: [string, string][] = [
  ['ce-id', 'e1'],
  ['ce-type', type],
  ['malha-delay-format', '1'],
  ['malha-delay-subject', `${type}.3.o-1`],
  ['malha-delay-stream', 'ORDERS'],
  ['malha-due', '2030-01-01T00:00:00.000Z'],
  ['Nats-Scheduler', `t.delay.at.${type}._id.e1`],
  ['Nats-Schedule-Next', 'purge'],
]

/** What is due, with some headers in place of others. */
function due(changes: Record<string, string | undefined>, more: [string, string][] = []): Delivery {
  const kept = ONCE.filter(([name]) => !(name in changes))
  const changed = Object.entries(changes).filter((pair): pair is [string, string] => pair[1] !== undefined)
  const pairs = [...more, ...kept, ...changed]
  const headers = receivedHeaders(pairs.map(([name, value]): [string, string[]] => [name, [value]]))
  return { headers, pairs, source: { publishedAt: new Date('2030-01-01T00:00:00.100Z') } } as unknown as Delivery
}

const read = (changes: Record<string, string | undefined>, more?: [string, string][]): unknown =>
  readDueEvent(of, type, due(changes, more))

test('what is due goes where it says, without what only its waiting needed', () => {
  expect(read({})).toMatchObject({
    id: 'e1',
    subject: `t.${type}.3.o-1`,
    stream: 't_ORDERS',
    dueMs: Date.parse('2030-01-01T00:00:00Z'),
    headers: [
      ['ce-id', 'e1'],
      ['ce-type', type],
      ['malha-due', '2030-01-01T00:00:00.000Z'],
    ],
  })
})

test('what a newer release wrote is not read as if it were of this format: it waits for that release', () => {
  expect(() => read({ 'malha-delay-format': '2', 'malha-delay-subject': undefined })).toThrow(
    /MESH_NEWER_VERSION: .*format 2.*newer release/,
  )
  for (const format of [undefined, '0', 'one']) expect(() => read({ 'malha-delay-format': format })).toThrow(/UNDECOD/)
})

test('a second value of what the server writes is a forgery, in whatever spelling', () => {
  const forged: [string, string][] = [['nats-scheduler', `t.delay.at.${type}._id.e1`]]
  expect(() => read({ 'Nats-Scheduler': 't.delay.at.order.other._id.e1' }, forged)).toThrow(/MESH_UNDECODABLE/)
  expect(() => read({}, [['nats-schedule-next', '2040-01-01T00:00:00Z']])).toThrow(/MESH_UNDECODABLE/)
  expect(() => read({ 'Nats-Scheduler': undefined })).toThrow(/MESH_UNDECODABLE/)
  expect(() => read({ 'Nats-Schedule-Next': undefined })).toThrow(/MESH_UNDECODABLE/)
})

test('a name of a stream that is no name does not get into a question to the server', () => {
  for (const stream of ['', 'A B', 'A.>', 'A*', 'A'.repeat(5000)]) {
    expect(() => read({ 'malha-delay-stream': stream })).toThrow(/MESH_UNDECODABLE/)
  }
})

test('occurrences of one name before and after a change of its schedule have different ids', () => {
  const occurrence = (digest: string): unknown =>
    read({
      'Nats-Scheduler': `t.delay.at.${type}._name.daily`,
      'Nats-Schedule-Next': '2030-01-02T00:00:00Z',
      'malha-delay-digest': digest,
    })
  const { id } = occurrence('a') as { id: string }
  expect(occurrence('a')).toMatchObject({ id })
  expect(occurrence('b')).not.toMatchObject({ id })
})
