import { expect, test } from 'vitest'
import type { Hop, Span } from '../../src/index.ts'
import { timeScale } from '../../src/journey/time-scale.ts'
import { waterfallOf } from '../../src/journey/waterfall.ts'

const AT = Date.parse('2026-11-22T10:00:00.000Z')
const at = (ms: number): string => new Date(AT + ms).toISOString()
const ns = (ms: number): bigint => BigInt(AT + ms) * 1_000_000n

const hop = (over: { id: string; ms: number } & Partial<Hop>): Hop => ({
  event: {
    stream: 'ORDERS',
    epoch: 1,
    seq: 1,
    subject: 'order.placed',
    storedAt: at(over.ms),
    storedNs: String(ns(over.ms)),
    id: over.id,
    type: 'order.placed',
    service: 'shop',
    key: undefined,
    correlationId: 'e-1',
    causationId: undefined,
    traceId: 't',
    payloadBytes: 1,
    foundIn: 'stream',
  },
  publishedBy: over.publishedBy,
  copy: over.copy,
  handlers: over.handlers ?? [],
  caused: over.caused ?? [],
})

const bill = { service: 'shop', handler: 'bill', sentence: '', next: undefined, runs: [] } as const
const failure = (attempt: number, ms: number, nextMs: number | null): Hop['handlers'][0]['attempts'][0] => ({
  id: 'e-1',
  type: 'order.placed',
  service: 'shop',
  handler: 'bill',
  attempt,
  code: 'HTTP_503',
  message: 'later',
  at: at(ms),
  nextAttemptAt: nextMs === null ? null : at(nextMs),
  outcome: 'retry',
  stream: 'ORDERS',
  epoch: 1,
  seq: 1,
})
const span = (attempt: number, from: number, to: number, group = 'shop_bill'): Span => ({
  traceId: 't',
  spanId: `${group}${attempt}`,
  parentId: undefined,
  service: 'shop',
  name: 'process order.placed',
  startNs: ns(from),
  endNs: ns(to),
  failed: false,
  message: '',
  attributes: { 'messaging.consumer.group.name': group, 'mesh.message.id': 'e-1', 'mesh.attempt': attempt },
})

test('each event, attempt and wait has its time, and what a handler published stands below it', () => {
  const caused = hop({ id: 'e-2', ms: 900, publishedBy: 'bill' })
  const handlers = [{ ...bill, situation: 'done' as const, attempts: [failure(1, 20, 500)] }]
  const roots = [hop({ id: 'e-1', ms: 0, handlers, caused: [caused] })]
  const rows = waterfallOf({ roots, traces: [] }, new Date(AT + 10_000))
  expect(rows.map(({ kind, depth }) => [kind, depth])).toEqual([
    ['event', 0],
    ['handler', 1],
    ['attempt', 2],
    ['event', 2],
  ])
  expect(rows[2]).toMatchObject({
    attempt: 1,
    isFailed: true,
    bars: [
      { kind: 'failed', startNs: ns(20), endNs: ns(20) },
      { kind: 'waits', startNs: ns(20), endNs: ns(500) },
    ],
  })
  expect(rows[1]!.bars).toEqual([])
})

test('an attempt with a span has its length, one that was written down and has a span is one, and those of others are not its own', () => {
  const handlers = [{ ...bill, situation: 'done' as const, attempts: [failure(1, 20, 500)] }]
  const spans = [span(1, 5, 20), span(2, 510, 540), span(3, 600, 700, 'other_bill'), span(2, 1, 2, 'shop_send')]
  const rows = waterfallOf(
    { roots: [hop({ id: 'e-1', ms: 0, handlers })], traces: [{ traceId: 't', spans }] },
    new Date(),
  )
  const attempts = rows.filter((row) => row.kind === 'attempt')
  expect(attempts).toMatchObject([
    {
      attempt: 1,
      isFailed: true,
      tookMs: 15,
      bars: [
        { kind: 'failed', startNs: ns(5), endNs: ns(20) },
        { kind: 'waits', endNs: ns(510) },
      ],
    },
    { attempt: 2, isFailed: false, failure: undefined, tookMs: 30, bars: [{ kind: 'ran' }] },
  ])
})

test('the first attempt of a message that was sent again is another one than its first attempt', () => {
  const handlers = [{ ...bill, situation: 'done' as const, attempts: [failure(1, 20, null)] }]
  const spans = [span(1, 60_000, 60_100)]
  const rows = waterfallOf(
    { roots: [hop({ id: 'e-1', ms: 0, handlers })], traces: [{ traceId: 't', spans }] },
    new Date(),
  )
  expect(rows.filter((row) => row.kind === 'attempt')).toMatchObject([
    { attempt: 1, isFailed: true, tookMs: undefined, bars: [{ kind: 'failed', endNs: ns(20) }] },
    { attempt: 1, isFailed: false, tookMs: 100, bars: [{ kind: 'ran', startNs: ns(60_000) }] },
  ])
})

test('what is not done is open up to now, and a retry that is due later is drawn no further', () => {
  const handlers = [{ ...bill, situation: 'retry' as const, attempts: [failure(1, 20, 90_000)] }]
  const rows = waterfallOf({ roots: [hop({ id: 'e-1', ms: 0, handlers })], traces: [] }, new Date(AT + 1000))
  expect(rows[1]!.bars).toEqual([{ kind: 'open', startNs: ns(0), endNs: ns(1000) }])
  expect(rows[2]!.bars.at(-1)).toEqual({ kind: 'waits', startNs: ns(20), endNs: ns(1000) })
})

test('a gap that nobody would notice stays in the scale, and a moment alone has room', () => {
  const moments = [0, 40, 100, 3_600_000].map((ms) => ({ startNs: ns(ms), endNs: ns(ms) }))
  const { stretches } = timeScale(moments, 1000, { breakColumns: 40, leastColumns: 12, leastBreakMs: 250 })
  expect(stretches.map(({ kind }) => kind)).toEqual(['linear', 'break', 'linear'])
  expect(stretches[1]!.columns).toBe(40)
  expect(stretches[2]!.columns).toBeGreaterThanOrEqual(12)
  expect(stretches.reduce((sum, { columns }) => sum + columns, 0)).toBe(1000)
})

test('what runs sent again stands below its handler, from its beginning to what came of it', () => {
  const at = (ms: number): string => new Date(AT + ms).toISOString()
  const run = {
    kind: 'redrive',
    attempts: 1,
    code: undefined,
    message: undefined,
    traceId: undefined,
    copyId: undefined,
  } as const
  const runs = [
    { ...run, run: 'r1', at: at(1000), endedAt: at(1200), result: 'failed' as const },
    { ...run, run: 'r2', at: at(2000), endedAt: undefined, result: 'under-way' as const },
  ]
  const handlers = [{ ...bill, situation: 'redriving' as const, attempts: [], runs }]
  const rows = waterfallOf({ roots: [hop({ id: 'e-1', ms: 0, handlers })], traces: [] }, new Date(AT + 10_000))
  expect(rows.flatMap((row) => (row.kind === 'run' ? [[row.run.run, row.depth, row.bars]] : []))).toEqual([
    ['r1', 2, [{ kind: 'failed', startNs: ns(1000), endNs: ns(1200) }]],
    ['r2', 2, [{ kind: 'open', startNs: ns(2000), endNs: ns(10_000) }]],
  ])
})
