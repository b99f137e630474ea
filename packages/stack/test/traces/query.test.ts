import { expect, test } from 'vitest'
import { readSearch } from '../../src/traces/sink/query.ts'

const TIMES = { 'query.startTimeMin': '2026-01-01T00:00:00Z', 'query.startTimeMax': '2026-01-02T00:00:00.5Z' }

test('a search has Jaeger’s names, units and defaults', () => {
  const search = readSearch({
    ...TIMES,
    'query.serviceName': 'shop',
    'query.durationMin': '1m1.5s',
    'query.attributes': '{"error":"true"}',
  })
  expect(search).toEqual({
    minNano: BigInt(Date.parse('2026-01-01T00:00:00Z')) * 1_000_000n,
    maxNano: BigInt(Date.parse('2026-01-02T00:00:00.5Z')) * 1_000_000n,
    depth: 100,
    service: 'shop',
    longerThanNano: 61_500_000_000n,
    attributes: { error: 'true' },
  })
})

test.each([
  [{ 'query.startTimeMin': TIMES['query.startTimeMin'] }, /startTimeMin and query.startTimeMax are required/],
  [{ ...TIMES, 'query.startTimeMax': 'tomorrow' }, /query.startTimeMax/],
  [{ ...TIMES, 'query.startTimeMax': '2025-01-01T00:00:00Z' }, /must be before/],
  [{ ...TIMES, 'query.durationMin': '3 s' }, /query.durationMin/],
  [{ ...TIMES, 'query.searchDepth': 'all' }, /query.searchDepth/],
  [{ ...TIMES, 'query.attributes': '["a"]' }, /query.attributes/],
])('%o is refused by name', (query, message) => {
  expect(() => readSearch(query)).toThrow(message)
})
