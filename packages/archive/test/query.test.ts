import { expect, test } from 'vitest'
import { without } from '../src/audit/ranges.ts'
import { eventOf, type EventRow } from '../src/query/archived-event.ts'
import { type JourneyEvent, treeOf } from '../src/query/journey.ts'
import { conditions } from '../src/query/query-archive.ts'
import { inNamespace } from '../src/naming.ts'

test('no value of a filter becomes part of the SQL text', () => {
  const evil = "x' OR 1=1 --"
  const { where, params } = conditions({
    id: evil,
    key: evil,
    type: evil,
    trace: evil,
    correlation: evil,
    stream: evil,
  })
  expect(where).not.toContain('1=1')
  expect(Object.values(params)).toEqual(Array(6).fill(evil))
})

test('a time that is none is refused by name', () => {
  expect(() => conditions({ since: 'last week' })).toThrow(/ARCHIVE_INVALID_OPTIONS: since/)
})

function event(id: string, causationId: string) {
  const row = { event_id: id, causation_id: causationId, occurred: '', published: '', archived: '', payload_b64: '' }
  return eventOf(row as EventRow)
}

test('a journey is a tree of causes; an unknown cause, itself or a circle makes a root', () => {
  const tree = treeOf([event('a', ''), event('b', 'a'), event('c', 'b'), event('d', 'gone'), event('e', 'e')])
  const shape = (nodes: readonly JourneyEvent[]): unknown => nodes.map((node) => [node.event.id, shape(node.caused)])
  expect(shape(tree)).toEqual([
    ['a', [['b', [['c', []]]]]],
    ['d', []],
    ['e', []],
  ])
  const circle = treeOf([event('x', 'y'), event('y', 'x')])
  expect(circle.length).toBeGreaterThan(0)
})

test('a payload that is no UTF-8 has no text, but its bytes', () => {
  const row = { occurred: '', published: '', archived: '', payload_b64: '//4=' } as EventRow
  expect(eventOf(row)).toMatchObject({ payload: undefined, payloadBase64: '//4=' })
  expect(eventOf({ ...row, payload_b64: Buffer.from('\ufeffé').toString('base64') }).payload).toBe('\ufeffé')
})

test('ranges are taken out of a range whatever their order and overlap', () => {
  const others = [
    { first: 8, last: 20 },
    { first: 2, last: 3 },
    { first: 3, last: 5 },
  ]
  expect(without({ first: 1, last: 10 }, others)).toEqual([
    { first: 1, last: 1 },
    { first: 6, last: 7 },
  ])
  expect(without({ first: 1, last: 2 }, [{ first: 1, last: 2 }])).toEqual([])
})

test('a namespace sees its own streams only, and no namespace sees none of theirs', () => {
  expect(inNamespace('dev', 'dev_CENTERS')).toBe(true)
  expect(inNamespace('dev', 'CENTERS')).toBe(false)
  expect(inNamespace('', 'CENTERS')).toBe(true)
  expect(inNamespace('', 'dev_CENTERS')).toBe(false)
  expect(inNamespace('d', 'dev_CENTERS')).toBe(false)
})
