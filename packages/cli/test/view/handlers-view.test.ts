import type { HandlerInstance, ListedHandler } from '@malha/operations'
import { expect, test } from 'vitest'
import { timeOrLength } from '../../src/commands/arguments.ts'
import { showAge } from '../../src/view/duration.ts'
import { drawChange, drawHandler, drawHandlers } from '../../src/view/handlers-view.ts'

const screen = { width: 200, colors: false }

const instance: HandlerInstance = {
  instance: 'host/1',
  id: 'a',
  version: '1.2.0',
  at: '',
  startedAt: '',
  denied: null,
  handler: 'bill',
  source: 'order.placed',
  stream: 'ORDERS',
  durables: ['shop_bill'],
  batch: null,
  concurrency: 4,
  rateLimit: null,
  declared: { concurrency: 16, rateLimit: null },
  running: 2,
  ready: 5,
  retrying: 1,
  leaked: 0,
  delayedUntil: null,
  paused: null,
  fault: null,
  partitions: null,
  seen: null,
  breaker: { state: 'closed', since: null, probeAt: null },
}

const bill: ListedHandler = {
  service: 'shop',
  handler: 'bill',
  source: 'order.placed',
  streams: ['ORDERS'],
  isOrdered: false,
  isShadow: false,
  heldKeys: null,
  durables: [
    {
      stream: 'ORDERS',
      durable: 'shop_bill',
      ackWaitMs: 30_000,
      maxAckPending: 64,
      maxDeliver: null,
      ackPending: 2,
      leader: null,
    },
  ],
  lag: { messages: 12, pending: 10, ackPending: 2, redelivered: 1, oldestMs: 300_000, headroomMs: 2_500_000_000 },
  lane: { stream: 'LANES_SHOP', durable: 'shop_bill', pending: 0, ackPending: 3 },
  paused: null,
  said: { concurrency: 4 },
  fault: null,
  revision: 1,
  breaker: instance.breaker,
  running: 2,
  instances: [instance],
}

const pause = { until: '2026-11-22T18:00:00.000Z', who: 'ana', reason: 'the bank\u001b[31m is down', at: '' }

test('the list says how far behind a handler is, when that would be gone, and how it stands', () => {
  const drawn = drawHandlers([bill], screen)
  for (const text of ['shop/bill', 'order.placed', '12', '5 min', '28 d', 'runs']) expect(drawn).toContain(text)
})

test('keys that dead letters hold are told, with how many of them each instance has', () => {
  const ordered = { ...instance, partitions: 16, heldKeys: 2 }
  const one = { ...bill, isOrdered: true, heldKeys: 2, instances: [ordered] }
  expect(drawHandlers([one], screen)).toContain('2 keys held behind dead letters')
  expect(drawHandler(one, screen)).toMatch(/partitions.*held/)
  const full = { ...one, instances: [{ ...ordered, fullPartitions: [3] }] }
  expect(drawHandlers([full], { ...screen, width: 200 })).toContain(
    '1 partition full, reading nothing new; 2 keys held behind',
  )
})

test('the worst comes first: a pause, then no instance, then an open breaker', () => {
  const open = { state: 'open', since: '2026-11-22T17:00:00.123Z', probeAt: null } as const
  expect(drawHandlers([{ ...bill, breaker: open }], screen)).toContain('breaker open since 2026-11-22 17:00:00Z')
  expect(drawHandlers([{ ...bill, breaker: open, instances: [] }], screen)).toContain('no instance answers')
  const paused = drawHandlers([{ ...bill, paused: pause, instances: [] }], screen)
  expect(paused).toContain('paused until 2026-11-22 18:00:00Z by ana: the bank\\u{1B}[31m is down')
  // One that has not heard of it, or may not.
  expect(drawHandlers([{ ...bill, paused: pause }], screen)).toContain('1 of 1 instance not yet paused until')
})

test('one handler shows each instance, and why what is said of it is not done', () => {
  const drawn = drawHandler({ ...bill, instances: [{ ...instance, fault: 'its limits are not changed' }] }, screen)
  for (const text of [
    'host/1',
    '1.2.0',
    'ORDERS by shop_bill',
    '10 to come, 2 delivered and not done',
    '1 redelivered',
  ])
    expect(drawn).toContain(text)
  expect(drawn).toContain('host/1: its limits are not changed')
  expect(drawHandler({ ...bill, lag: null, instances: [] }, screen)).toContain('no instance answers')
})

test('a change says what is and what was', () => {
  const changed = { who: 'ana', reason: null, at: '' }
  const after = { v: 1, paused: pause, concurrency: 3, rateLimit: null, changed } as const
  const drawn = drawChange(bill, { before: null, after }, screen)
  expect(drawn).toContain('shop/bill paused until 2026-11-22 18:00:00Z')
  expect(drawn).toContain('3 at once, no rate limit')
  expect(drawn).toContain('before: not paused; limits as declared')
  expect(drawChange(bill, { before: after, after }, screen)).toContain('nothing was changed')
})

test.each([
  ['90s', 90_000],
  ['2h', 7_200_000],
  ['1d', 86_400_000],
])('%s is so many milliseconds', (text, ms) => {
  expect(timeOrLength(text)).toBe(ms)
})

test('a time is a time, and anything else is refused', () => {
  expect(timeOrLength('2026-11-22T18:00:00Z')).toEqual(new Date(Date.UTC(2026, 10, 22, 18)))
  for (const junk of ['soon', '2', '0h', '2w', '', '-1h']) expect(() => timeOrLength(junk)).toThrow(/a length such as/)
})

test('an age is in the unit that says enough of it', () => {
  expect([0, 59_000, 119_999, 120_000, 7_200_000, 172_800_000].map(showAge)).toEqual([
    '0 s',
    '59 s',
    '119 s',
    '2 min',
    '2 h',
    '2 d',
  ])
})
