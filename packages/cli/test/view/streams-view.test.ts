import type { StreamView, TailEvent } from '@malha/operations'
import { expect, test } from 'vitest'
import { showBytes } from '../../src/view/bytes.ts'
import { drawStreams } from '../../src/view/streams-view.ts'
import { tailLine } from '../../src/view/tail-view.ts'

const NOW = Date.parse('2026-11-22T17:35:22.810Z')
const view: StreamView = {
  name: 'CENTERS',
  kind: 'events',
  messages: 12,
  bytes: 800 * 1024 ** 2,
  maxBytes: 1024 ** 3,
  used: 0.78,
  discard: 'new',
  firstSeq: 1,
  lastSeq: 12,
  oldestAt: '2026-11-22T15:35:22.810Z',
  newestAt: '2026-11-22T17:35:22.000Z',
  maxAgeMs: 30 * 86_400_000,
  replicas: 3,
  leader: 'n1',
  laggards: ['n3'],
  consumers: 4,
  headroom: {
    durable: 'provider_senninha',
    seq: 7,
    storedAt: '2026-11-22T15:35:22.810Z',
    leavesAt: '2026-11-22T18:35:22.810Z',
    leftMs: 3_600_000,
  },
  alarms: ['size', 'age', 'replicas'],
}
const RED = '\u001B[31m'

test('what is near its limit is red, and said in a sentence', () => {
  const text = drawStreams([view], { width: 200, colors: true }, NOW)
  expect(text).toContain(`${RED}800 MiB of 1 GiB (78 %)`)
  expect(text).toContain(`${RED}60 min`)
  expect(text).toContain('CENTERS is 78 % full: at 100 % what is published is refused (MESH_STREAM_FULL)')
  expect(text).toContain(
    'provider_senninha is not past sequence 7, which leaves the stream at 2026-11-22T18:35:22.810Z',
  )
  expect(text).toContain('1 replica away or behind (n3)')
  expect(drawStreams([{ ...view, alarms: [] }], { width: 200, colors: true }, NOW)).not.toContain(RED)
})

test('sizes are shown as people read them', () => {
  expect([0, 812, 1536, 1024 ** 2, 5.5 * 1024 ** 3].map(showBytes)).toEqual([
    '0 B',
    '812 B',
    '1.5 KiB',
    '1 MiB',
    '5.5 GiB',
  ])
})

test('an event is one line, whatever is in it', () => {
  const hostile = '\u001B[31m\n\u202E'
  const event: TailEvent = {
    at: '2026-11-22T17:35:22.810Z',
    subject: hostile,
    id: hostile,
    type: hostile,
    key: hostile,
    service: hostile,
    correlationId: hostile,
    traceId: undefined,
    payloadBytes: 3,
    payload: hostile.repeat(100),
    withheld: undefined,
    failed: undefined,
  }
  const line = tailLine(event, { width: 100, colors: false })
  expect(line).not.toMatch(/\p{Cc}|\p{Cf}/u)
  expect(line.startsWith('17:35:22.810 ')).toBe(true)
  expect(tailLine({ ...event, payload: undefined }, { width: 200, colors: false })).toContain(
    '(3 bytes that are no text)',
  )
})
