import { days, defineService, event, hours, minutes, on, type RetryPolicy, retry, stream } from '@malha/mesh'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { checkOnceOutput, markerTtlMs } from '../../src/service/effects-rules.ts'

const schema = z.object({ id: z.string() })
const orders = stream('ORDERS', { subjects: ['order.>'], maxAgeMs: days(2) })
const placed = event('order.placed', { stream: orders, schema })
const brief = event('brief.noted', { stream: stream('BRIEF', { subjects: ['brief.>'], maxAgeMs: days(1) }), schema })
const long = event('long.noted', { stream: stream('LONG', { subjects: ['long.>'], maxAgeMs: days(3) }), schema })
const handle = (): void => undefined
const once = (policy?: RetryPolicy) => on(placed, { effects: 'once', ...(policy && { retry: policy }) }, handle)

test('a marker outlives the message in its stream and as long as it may be retried after that', () => {
  const policy = { attempts: Infinity, forMs: days(1), minDelayMs: 1, maxDelayMs: 10, factor: 2 }
  expect(markerTtlMs(once(policy))).toBe(days(3) + minutes(1))
  expect(markerTtlMs(once(retry({ attempts: 3 })))).toBe(days(2) + hours(1) + minutes(1))
})

test('what the service publishes must be kept as long as what is handled', () => {
  const define = () => defineService('s', { handlers: { h: once() }, publishes: [placed, brief, long] })
  expect(define).toThrow(/1 fault[^]*handler "h"[^]*BRIEF must keep/)
})

test('effects is once or nothing', () => {
  const handlers = { h: on(placed, { effects: 'twice' as 'once' }, handle) }
  expect(() => defineService('s', { handlers })).toThrow(/effects is "twice"/)
})

test('outputs of one message belong to one stream that lives long enough, and are 999 at most', () => {
  const def = once()
  const before = (count: number) => Array.from({ length: count }, () => ({ contract: placed }))
  checkOnceOutput(def, placed, before(998))
  expect(() => checkOnceOutput(def, placed, before(999))).toThrow(/MESH_INVALID_BATCH.*999/)
  expect(() => checkOnceOutput(def, long, before(1))).toThrow(/long.noted is in LONG.*order.placed.*ORDERS/)
  expect(() => checkOnceOutput(def, brief, [])).toThrow(/BRIEF must keep/)
})
