import { randomBytes } from 'node:crypto'
import type { Warning } from './jaeger-warnings.ts'
import type { TraceSpan } from './trace.ts'

/** A span of one millisecond per hundred unless told; `from` and `to` are milliseconds after the trace began. */
type Planted = Partial<TraceSpan> & { readonly host?: string; readonly from: number; readonly to: number }

const idOf = (letter: string): string => letter.repeat(16)

/** A trace whose spans have the ids `aaaaaaaaaaaaaaaa`, `bbbbbbbbbbbbbbbb`, … in order, each a child of the one before. */
export function plantTrace(spans: readonly Planted[]): TraceSpan[] {
  const traceId = randomBytes(16).toString('hex')
  const began = BigInt(Date.now() - 60_000) * 1_000_000n
  return spans.map(({ host, from, to, ...more }, at) => ({
    traceId,
    spanId: idOf('abcdef'[at]!),
    parentId: at === 0 ? undefined : idOf('abcdef'[at - 1]!),
    name: `span ${at}`,
    kind: 'internal',
    startNs: began + BigInt(from * 1_000_000),
    endNs: began + BigInt(to * 1_000_000),
    failed: false,
    attributes: {},
    links: [],
    resource: { 'service.name': 'planted', ...(host !== undefined && { 'host.name': host }) },
    ...more,
  }))
}

const ms = (count: number): bigint => BigInt(count * 1_000_000)
const skew = (deltaMs: number): Warning => ({ rule: 'clock-skew', deltaNs: ms(deltaMs) })
const link = { spanId: idOf('a'), attributes: {} }

/** Traces that Jaeger warns of, and some that it does not: what it says of which span, by the letter of its id. */
export const plants: readonly [string, readonly Planted[], Readonly<Record<string, readonly Warning[]>>][] = [
  [
    'a message handled after it was published, all on one host',
    [
      { host: 'one', from: 0, to: 4 },
      { host: 'one', from: 5, to: 6 },
    ],
    {},
  ],
  [
    'the same on two hosts, handled in less time than it took to publish',
    [
      { host: 'one', from: 0, to: 4 },
      { host: 'two', from: 5, to: 6 },
    ],
    { b: [skew(-3.5)] },
  ],
  [
    'the same on two hosts, handled for longer',
    [
      { host: 'one', from: 0, to: 4 },
      { host: 'two', from: 5, to: 15 },
    ],
    {},
  ],
  [
    'a handler elsewhere that begins before its message, for longer',
    [
      { host: 'one', from: 10, to: 14 },
      { host: 'two', from: 5, to: 15 },
    ],
    { b: [skew(5)] },
  ],
  [
    'a call elsewhere, inside of whoever called',
    [
      { host: 'one', from: 0, to: 10 },
      { host: 'two', from: 2, to: 8 },
    ],
    {},
  ],
  [
    'spans of no host, one after the other',
    [
      { from: 0, to: 4 },
      { from: 5, to: 6 },
    ],
    { b: [skew(-3.5)] },
  ],
  [
    'all below a span that is moved, as long as its host goes on',
    [
      { host: 'one', from: 0, to: 4 },
      { host: 'two', from: 5, to: 6 },
      { host: 'two', from: 5, to: 6 },
      { host: 'one', from: 5, to: 6 },
    ],
    { b: [skew(-3.5)], c: [skew(-3.5)] },
  ],
  [
    'one machine under two names, which has one id',
    [
      { host: 'one', from: 0, to: 4, resource: { 'service.name': 'planted', 'host.id': 'x', 'host.name': 'one' } },
      { host: 'two', from: 5, to: 6, resource: { 'service.name': 'planted', 'host.id': 'x', 'host.name': 'two' } },
    ],
    {},
  ],
  [
    'a parent that never came',
    [{ host: 'one', from: 0, to: 4, parentId: 'f'.repeat(16) }],
    { a: [{ rule: 'no-parent' }] },
  ],
  [
    'two spans with one id',
    [
      { host: 'one', from: 0, to: 4 },
      { host: 'one', from: 1, to: 2, spanId: idOf('a'), parentId: undefined },
    ],
    { a: [{ rule: 'same-id' }] },
  ],
  ['a span without length', [{ host: 'one', from: 0, to: 0 }], { a: [{ rule: 'no-length' }] }],
  [
    'a link to nowhere beside one to somewhere',
    [
      {
        host: 'one',
        from: 0,
        to: 1,
        links: [
          { ...link, traceId: '0'.repeat(32) },
          { ...link, traceId: 'b'.repeat(32) },
        ],
      },
    ],
    { a: [{ rule: 'empty-link' }] },
  ],
  [
    'a span that says another SDK than its process',
    [
      {
        from: 0,
        to: 1,
        attributes: { 'telemetry.sdk.name': 'other' },
        resource: { 'service.name': 'planted', 'telemetry.sdk.name': 'opentelemetry' },
      },
    ],
    { a: [{ rule: 'other-sdk' }] },
  ],
]
