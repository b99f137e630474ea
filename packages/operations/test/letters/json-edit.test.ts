import { expect, it } from 'vitest'
import { changesBetween, readJson, withChanges } from '../../src/letters/json-edit.ts'

const roundTrip = (before: unknown, after: unknown): unknown => withChanges(before, changesBetween(before, after))

it.each([
  ['a member', { city: { name: 'Snatos' } }, { city: { name: 'Santos' } }],
  ['a list', { lines: [1, 2, 3] }, { lines: [1, 3, 4, 5] }],
  ['the whole', { n: 1 }, [1]],
  ['a text for a number', 1, 'one'],
  ['nothing', null, { n: 1 }],
  ['keys with / and ~', { 'a/b': { '~': 1 } }, { 'a/b': { '~': 2, '': 3 } }],
])('%s is changed, and what was there before stays as it is', (_, before, after) => {
  const copy = structuredClone(before)
  expect(roundTrip(before, after)).toEqual(after)
  expect(before).toEqual(copy)
})

it('changes are those of a JSON Patch', () => {
  expect(changesBetween({ a: 1, b: { c: 2 } }, { b: { c: 3 }, d: [] })).toEqual([
    { op: 'remove', path: '/a' },
    { op: 'add', path: '/d', value: [] },
    { op: 'replace', path: '/b/c', value: 3 },
  ])
  expect(changesBetween({ a: 1 }, 7)).toEqual([{ op: 'replace', path: '', value: 7 }])
})

it('long lists are replaced whole instead of compared for minutes', () => {
  const before = { list: Array.from({ length: 60_000 }, (_, n) => n) }
  const after = { list: before.list.map((n) => n + 1) }
  expect(changesBetween(before, after)).toMatchObject([{ op: 'replace', path: '/list' }])
  expect(roundTrip(before, after)).toEqual(after)
})

it('a change of __proto__ is refused, and pollutes nothing', () => {
  const after: unknown = JSON.parse('{"__proto__":{"isAdmin":true}}')
  expect(() => changesBetween({}, after)).toThrow(/OPERATIONS_EDIT_REFUSED/)
  expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined()
})

it('JSON is read, and what is none or would be another number is refused', () => {
  expect(readJson(Buffer.from('{"n":9007199254740991,"x":-0.125e3}'))).toEqual({ n: 9_007_199_254_740_991, x: -125 })
  expect(() => readJson(Buffer.from('{"n":'))).toThrow(/OPERATIONS_EDIT_REFUSED: the payload is no JSON/)
  expect(() => readJson(Buffer.from([0xff]))).toThrow(/no JSON/)
  expect(() => readJson(Buffer.from('{"n":9007199254740993}'))).toThrow(/numbers that .*9007199254740993/)
  expect(() => readJson(Buffer.from('1.23456789012345678901'))).toThrow(/numbers/)
})
