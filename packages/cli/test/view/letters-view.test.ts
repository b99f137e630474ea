import type { LetterList, ShownLetter } from '@malha/operations'
import { expect, it } from 'vitest'
import { drawLetter, drawLetters } from '../../src/view/letters-view.ts'

const screen = { width: 200, colors: false }
const letter = {
  seq: 7,
  subject: 'dlq.shop_bill.ORDERS.1795360643.3@1795360659072607349',
  kind: 'message' as const,
  at: '2026-11-22T15:17:39.090Z',
  code: 'HTTP_422',
  reason: 'HTTP_422: no such city:\n  \u001B[31mBelém\u202E',
  errorClass: 'ResponseError',
  group: '9f3c1a77e0',
  groupReason: 'HTTP_422: no such city',
  service: 'shop',
  handler: 'bill',
  serviceVersion: '1.2.3',
  attempts: 1,
  attemptTimes: ['2026-11-22T15:17:39.000Z'],
  origin: { stream: 'ORDERS', epoch: 1_795_360_643, seq: '3', subject: 'order.placed.4.o-1', publishedAt: undefined },
  id: 'e-1',
  type: 'order.placed',
  key: 'o-1',
  correlationId: 'e-1',
  traceId: undefined,
  payloadBytes: 2,
  state: 'open' as const,
  recordSeq: 0,
  run: undefined,
  editSeq: 0,
  isGone: false,
  redrives: 0,
}
const group = { group: '9f3c1a77e0', service: 'shop', handler: 'bill', code: 'HTTP_422', errorClass: undefined }
const times = { firstAt: letter.at, lastAt: letter.at }
const list: LetterList = {
  letters: [letter],
  groups: [{ ...group, ...times, reason: 'HTTP_422: no such city', letters: 1 }],
  total: 1,
  next: 7,
}
const whole: ShownLetter = {
  ...letter,
  redaction: { hidden: 0, withheld: undefined },
  stack: 'Error: x\n    at y',
  headers: [['x-a', '1']],
  payload: Buffer.from('{}'),
  hasPayload: true,
}

it('a list shows groups and letters a line each, and how to go on; hostile text does nothing', () => {
  const drawn = drawLetters(list, screen)
  expect(drawn).toContain('1 dead letter in 1 group')
  expect(drawn).toMatch(
    /7 +│ 11-22 15:17:39 │ shop\/bill │ 9f3c1a77e0 │ o-1 +│ open +│ no such city: \\u\{1B\}\[31mBelém\\u\{202E\}/,
  )
  expect(drawn).toContain('more: --after 7')
  expect(drawn).not.toContain('\u001B')
  expect(drawLetters({ letters: [], groups: [], total: 0, next: undefined }, screen)).toBe('No such letters.')
})

it('a letter shows what it says of itself, its stack on lines, and JSON indented', () => {
  const drawn = drawLetter({ ...whole, payload: Buffer.from('{"a":[1]}') }, screen)
  expect(drawn).toContain('why          no such city:\n  \\u{1B}[31mBelém\\u{202E}')
  expect(drawn).toContain('stack\nError: x\n    at y')
  expect(drawn).toContain('payload\n{\n  "a": [\n    1\n  ]\n}')
  expect(drawn).toContain('x-a: 1')
})

it.each([
  [
    'bytes that are no text',
    { payload: Buffer.from([0xff, 0xfe]) },
    '(2 bytes that are no text; --json has them in base64)',
  ],
  ['what was left out', { hasPayload: false }, '(left out:'],
  ['what aged out', { kind: 'expired', payload: Buffer.alloc(0) }, '(the events are gone'],
  [
    'what is hidden',
    { payload: Buffer.alloc(0), redaction: { hidden: 0, withheld: 'nobody said' } },
    '(hidden: nobody said; --reveal shows it)',
  ],
  ['what is hidden in part', { redaction: { hidden: 2, withheld: undefined } }, '2 values hidden as sensitive'],
  ['a megabyte', { payload: Buffer.from('x'.repeat(1_000_000)) }, '… (--json has all)'],
])('%s is said, not drawn', (_, given, said) => {
  const drawn = drawLetter({ ...whole, ...given } as ShownLetter, screen)
  expect(drawn).toContain(said)
  expect(drawn.length).toBeLessThan(20_000)
})
