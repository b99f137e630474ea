import { expect, test } from 'vitest'
import { readRequest, textOf } from '../../src/traces/sink/otlp.ts'
import { createStore } from '../../src/traces/sink/store.ts'
import { placed, request, span, spanId, TRACE } from '../fixtures/spans.ts'

const idOf = (n: number): string => String(n).padStart(32, '0')

test('over the limit of bytes the oldest trace is dropped and counted', () => {
  const store = createStore({ maxTraces: 100, maxBytes: 250 })
  for (const n of [1, 2, 3]) store.add(placed('shop', span('1', 'x', { traceId: idOf(n) })), 100)
  expect([...store.all()].map(({ id }) => id)).toEqual([idOf(2), idOf(3)])
  expect(store.stats).toEqual({ traces: 2, spans: 2, bytes: 200, droppedTraces: 1 })
})

test('over the limit of traces the oldest is dropped', () => {
  const store = createStore({ maxTraces: 2, maxBytes: 1e9 })
  for (const n of [1, 2, 3]) store.add(placed('shop', span('1', 'x', { traceId: idOf(n) })), 10)
  expect(store.get(idOf(1))).toBeUndefined()
})

test('one trace larger than the limit does not keep the store above it', () => {
  const store = createStore({ maxTraces: 100, maxBytes: 50 })
  store.add(placed('shop', span('1', 'x')), 100)
  expect(store.stats).toEqual({ traces: 0, spans: 0, bytes: 0, droppedTraces: 1 })
})

test('a span exported twice is one span', () => {
  const store = createStore({ maxTraces: 100, maxBytes: 1e9 })
  for (const _ of [1, 2]) store.add(placed('shop', span('1', 'x')), 100)
  expect(store.get(TRACE)?.spans.size).toBe(1)
})

test('a search finds by service, operation, duration, time and attribute, newest first', () => {
  const store = createStore({ maxTraces: 100, maxBytes: 1e9 })
  const key = { attributes: [{ key: 'center.id', value: { stringValue: 'c-1' } }] }
  store.add(placed('shop', span('1', 'old', { traceId: idOf(1), ms: 5, ...key })), 1)
  store.add(placed('shop', span('1', 'new', { traceId: idOf(2), atMs: 1000, ms: 500 })), 1)
  const found = (more: object): string[] =>
    store.find({ minNano: 0n, maxNano: 2n ** 63n, depth: 10, ...more }).map(({ id }) => id)
  expect(found({})).toEqual([idOf(2), idOf(1)])
  expect(found({ depth: 1 })).toEqual([idOf(2)])
  expect(found({ service: 'none' })).toEqual([])
  expect(found({ operation: 'old' })).toEqual([idOf(1)])
  expect(found({ longerThanNano: 100_000_000n })).toEqual([idOf(2)])
  expect(found({ shorterThanNano: 100_000_000n })).toEqual([idOf(1)])
  expect(found({ attributes: { 'center.id': 'c-1' } })).toEqual([idOf(1)])
  expect(found({ maxNano: 1_750_000_000_500_000_000n })).toEqual([idOf(1)])
})

test('numbers of 64 bits come out as text and ids in lower case, as Jaeger writes them', () => {
  const sent = span('a', 'x', {
    traceId: TRACE.toUpperCase(),
    attributes: [{ key: 'n', value: { arrayValue: { values: [{ intValue: 5 }] } } }],
    parentSpanId: '',
  })
  const { spans } = readRequest(structuredClone(request('shop', sent)))
  expect(spans[0]?.span).toMatchObject({
    traceId: TRACE,
    attributes: [{ value: { arrayValue: { values: [{ intValue: '5' }] } } }],
  })
  expect(spans[0]?.span).not.toHaveProperty('parentSpanId')
})

test('spans without valid ids or times are rejected one by one', () => {
  const bad = [
    {},
    undefined,
    3,
    { ...span('1', 'x'), spanId: spanId('g') },
    { ...span('1', 'x'), startTimeUnixNano: 'soon' },
  ]
  const body = { resourceSpans: [{ scopeSpans: [{ spans: [...bad, span('2', 'good')] }] }] }
  expect(readRequest(body)).toMatchObject({ rejected: bad.length, spans: [{ span: { name: 'good' } }] })
})

test('every kind of value has a text', () => {
  expect(textOf({ stringValue: 'a' })).toBe('a')
  expect(textOf({ boolValue: false })).toBe('false')
  expect(textOf({ intValue: '7' })).toBe('7')
  expect(textOf({ arrayValue: { values: [{ intValue: 1 }, { stringValue: 'b' }] } })).toBe('[1, b]')
  expect(textOf({ kvlistValue: { values: [{ key: 'k', value: { doubleValue: 0.5 } }] } })).toBe('{k: 0.5}')
  expect(textOf(undefined)).toBe('')
})
