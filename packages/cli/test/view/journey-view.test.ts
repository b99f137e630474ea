import type { FoundEvent, HandlerHop, Hop, Journey, RunHop } from '@malha/operations'
import { expect, test } from 'vitest'
import { drawJourney, journeyJson } from '../../src/view/journey-view.ts'

const HOSTILE = '\u001B[31m<b>\u202E'
const ACTING = /\p{Cc}|\p{Cf}/u
const event = (over: Partial<FoundEvent>): FoundEvent => ({
  stream: 'CENTERS',
  epoch: 1,
  seq: 1,
  subject: 'center.registered.4.c-1',
  storedAt: '2026-11-22T17:35:22.810123456Z',
  storedNs: '1',
  id: 'e-1',
  type: 'center.registered',
  service: 'api',
  key: 'c-1',
  correlationId: 'e-1',
  causationId: undefined,
  traceId: undefined,
  payloadBytes: 2,
  foundIn: 'stream',
  ...over,
})
const attempt = (n: number): HandlerHop['attempts'][number] => ({
  id: 'e-1',
  type: 'center.registered',
  service: 'provider',
  handler: 'senninha',
  attempt: n,
  code: 'HTTP_503',
  message: `HTTP_503: ${HOSTILE}`,
  at: '2026-11-22T17:35:23.000Z',
  nextAttemptAt: null,
  outcome: 'dead-letter',
  stream: 'CENTERS',
  epoch: 1,
  seq: 1,
})
const handler = (over: Partial<HandlerHop>): HandlerHop => ({
  service: 'provider',
  handler: 'senninha',
  situation: 'done',
  sentence: 'it is done',
  next: undefined,
  attempts: [],
  runs: [],
  ...over,
})
const again = (over: Partial<RunHop>): RunHop => ({
  run: 'r-1',
  kind: 'redrive',
  at: '2026-11-22T18:00:00.000Z',
  result: 'failed',
  endedAt: '2026-11-22T18:00:09.000Z',
  attempts: 2,
  code: undefined,
  message: undefined,
  traceId: undefined,
  copyId: undefined,
  ...over,
})
const hop = (over: Partial<Hop>): Hop => ({
  event: event({}),
  publishedBy: undefined,
  copy: undefined,
  handlers: [],
  caused: [],
  ...over,
})
const journey = (roots: Hop[]): Journey => ({
  asked: 'c-1',
  as: 'key',
  roots,
  events: roots.length,
  traces: [],
  missing: [],
})
const screen = { width: 120, colors: false }

test('what a handler published hangs below it, and what nobody says who published below the event', () => {
  const output = hop({
    event: event({ id: 'e-2', type: 'provider.created', service: 'provider' }),
    publishedBy: 'senninha',
  })
  const other = hop({ event: event({ id: 'e-3', type: 'center.seen', service: 'other' }) })
  const text = drawJourney(
    journey([hop({ handlers: [handler({}), handler({ handler: 'maas' })], caused: [output, other] })]),
    screen,
  )
  expect(text.split('\n').map((line) => line.replace(/ 2026.*/, ''))).toEqual([
    '1 event, found by key',
    'center.registered c-1',
    '├─ provider/senninha  done',
    '│  └─ provider.created c-1',
    '├─ provider/maas  done',
    '└─ center.seen c-1',
  ])
})

test('of many attempts the first and the last are shown, and how many are between', () => {
  const attempts = Array.from({ length: 20 }, (_, index) => attempt(index + 1))
  const text = drawJourney(journey([hop({ handlers: [handler({ attempts })] })]), screen)
  expect([...text.matchAll(/↻(\d+)/g)].map(([, n]) => n)).toEqual(['1', '2', '18', '19', '20'])
  expect(text).toContain('⋮ 15 more failed attempts')
})

test('each run that sent it again is shown with its result and its trace', () => {
  const runs = [
    again({ code: 'HTTP_422', message: HOSTILE, traceId: HOSTILE }),
    again({ kind: 'replay', result: 'ok' }),
  ]
  const text = drawJourney(journey([hop({ handlers: [handler({ runs })] })]), screen)
  expect(text.replaceAll('\n', '')).not.toMatch(ACTING)
  expect(text).toMatch(
    /⟳ redriven 2026-11-22T18:00:00.000Z by run r-1: failed again after 2 attempts at 2026-11-22T18:00:09.000Z \(HTTP_422.*, trace /,
  )
  expect(text).toContain(
    '⟳ replayed 2026-11-22T18:00:00.000Z by run r-1: ok after 2 attempts at 2026-11-22T18:00:09.000Z',
  )
})

test('hostile text in any place does nothing to the terminal', () => {
  const hostile = event({
    id: HOSTILE,
    type: HOSTILE,
    key: HOSTILE,
    service: HOSTILE,
    stream: HOSTILE,
    subject: HOSTILE,
  })
  const bad = handler({ situation: 'retry', sentence: HOSTILE, service: HOSTILE, attempts: [attempt(1)] })
  const text = drawJourney(
    { ...journey([hop({ event: hostile, handlers: [bad], caused: [hop({ event: hostile })] })]), missing: [HOSTILE] },
    screen,
  )
  expect(text.replaceAll('\n', '')).not.toMatch(ACTING)
  expect(drawJourney({ ...journey([]), as: undefined, asked: HOSTILE }, screen)).not.toMatch(ACTING)
})

test('a new message that a run made of an event is named there, and where it came from above what it led to', () => {
  const copy = { id: 'c-1', of: 'e-1', run: 'r-1', service: 'shop', handler: 'bill' }
  const runs = [again({ kind: 'replay', result: 'ok', copyId: 'c-1' })]
  const text = drawJourney(
    journey([hop({ handlers: [handler({ runs })] }), hop({ copy, caused: [], event: event({ id: 'o-9' }) })]),
    screen,
  )
  expect(text).toContain('by run r-1 as new message c-1: ok')
  expect(text).toContain('new message c-1, which run r-1 made of e-1 for shop/bill, published:')
})

test('nanoseconds of spans are text in JSON, and nothing that was found is null', () => {
  const span = {
    traceId: 't',
    spanId: 's',
    parentId: undefined,
    service: 'a',
    name: 'b',
    startNs: 1n,
    endNs: 2n,
    failed: false,
    message: '',
    attributes: {},
  }
  const given = { ...journey([]), as: undefined, traces: [{ traceId: 't', spans: [span] }] }
  expect(JSON.parse(JSON.stringify(journeyJson(given)))).toMatchObject({
    as: null,
    traces: [{ spans: [{ startNs: '1', endNs: '2' }] }],
  })
})
