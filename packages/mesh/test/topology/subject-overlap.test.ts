import { array, assert, constantFrom, property, tuple, boolean } from 'fast-check'
import { expect, test } from 'vitest'
import { covers } from '../../src/message/contract.ts'
import { contains, overlap } from '../../src/topology/subject-overlap.ts'

const token = constantFrom('a', 'b')
const subject = array(token, { minLength: 1, maxLength: 4 }).map((tokens) => tokens.join('.'))
const pattern = tuple(array(constantFrom('a', 'b', '*'), { minLength: 1, maxLength: 3 }), boolean()).map(
  ([tokens, open]) => [...tokens, ...(open ? ['>'] : [])].join('.'),
)

test('patterns that hold a common subject overlap', () => {
  assert(
    property(pattern, pattern, subject, (a, b, one) => {
      const isShared = covers(a, one) && covers(b, one)
      expect(!isShared || overlap(a, b)).toBe(true)
      expect(overlap(a, b)).toBe(overlap(b, a))
    }),
  )
})

test.each([
  ['center.>', 'center.registered', true],
  ['center.*', '*.registered', true],
  ['center.>', 'center', false],
  ['center.*', 'center.*.*', false],
  ['order.>', 'center.>', false],
  ['>', 'a', true],
])('%s and %s overlap: %s', (a, b, expected) => {
  expect(overlap(a, b)).toBe(expected)
})

test('a pattern contains another only when it holds all of its subjects', () => {
  assert(
    property(pattern, pattern, subject, (outer, inner, one) => {
      const isInside = contains(outer, inner)
      expect(!isInside || !covers(inner, one) || covers(outer, one)).toBe(true)
      expect(!isInside || overlap(outer, inner)).toBe(true)
    }),
  )
  expect(contains('center.>', 'center.*')).toBe(true)
  expect(contains('center.*', 'center.>')).toBe(false)
  expect(contains('center.*', 'center.registered')).toBe(true)
  expect(contains('center.registered', 'center.*')).toBe(false)
})
