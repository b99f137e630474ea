import { expect, test } from 'vitest'
import { duration, html } from '../../src/traces/sink/html.ts'
import { waterfallRows } from '../../src/traces/sink/rows.ts'
import { createStore } from '../../src/traces/sink/store.ts'
import type { Trace } from '../../src/traces/sink/store.ts'
import { placed, span, spanId, TRACE } from '../fixtures/spans.ts'

function traceOf(...spans: ReturnType<typeof span>[]): Trace {
  const store = createStore({ maxTraces: 10, maxBytes: 1e9 })
  store.add(placed('shop', ...spans), 1)
  return store.get(TRACE) as Trace
}

test('parents come before children and siblings in order of start, whatever order they came in', () => {
  const rows = waterfallRows(
    traceOf(
      span('4', 'later child', { parentSpanId: spanId('1'), atMs: 30 }),
      span('3', 'grandchild', { parentSpanId: spanId('2'), atMs: 12 }),
      span('2', 'child', { parentSpanId: spanId('1'), atMs: 10 }),
      span('1', 'root', { ms: 100 }),
    ),
  )
  expect(rows.map(({ span: { name }, depth }) => [depth, name])).toEqual([
    [0, 'root'],
    [1, 'child'],
    [2, 'grandchild'],
    [1, 'later child'],
  ])
  expect(rows.map(({ offsetMs }) => offsetMs)).toEqual([0, 10, 12, 30])
})

test('a span whose parent was not seen is a root that says so, and one that is its own parent is shown', () => {
  const rows = waterfallRows(
    traceOf(span('1', 'lost', { parentSpanId: spanId('9') }), span('2', 'own', { parentSpanId: spanId('2'), atMs: 1 })),
  )
  expect(rows.map(({ span: { name }, orphan }) => [name, orphan])).toEqual([
    ['lost', true],
    ['own', true],
  ])
})

test('text is escaped where it is put into HTML, HTML is not', () => {
  expect(html`<i title="${'"&\''}">${html`<b>${'<x>'}</b>`}${[html`1`, html`2`]}</i>`.text).toBe(
    '<i title="&quot;&amp;&#39;"><b>&lt;x&gt;</b>12</i>',
  )
})

test('durations read well at every size', () => {
  expect([0, 0.123, 42.4, 1500, 12_345, 125_000, 7_500_000].map(duration)).toEqual([
    '0 ms',
    '0.12 ms',
    '42 ms',
    '1.50 s',
    '12.3 s',
    '2 min 5 s',
    '2 h 5 min',
  ])
})
