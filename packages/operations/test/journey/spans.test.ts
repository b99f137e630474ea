import { expect, test } from 'vitest'
import { readSpans } from '../../src/journey/spans.ts'

const exported = {
  traceId: '5b8aa5a2d2c872e8321cf37308d69df2',
  spanId: '051581bf3cb55c13',
  parentSpanId: '',
  name: 'process center.registered',
  startTimeUnixNano: '1790000000000000001',
  endTimeUnixNano: '1790000000000000003',
  attributes: [
    { key: 'attempt', value: { intValue: '2' } },
    { key: 'partner', value: { stringValue: 'dmitri' } },
  ],
  status: { code: 2, message: 'connect ECONNREFUSED' },
}

const answer = (spans: (typeof exported)[]) => ({
  result: {
    resourceSpans: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'provider' } }] },
        scopeSpans: [{ spans }],
      },
    ],
  },
})

test('a span keeps its nanoseconds, service, failure and attributes', () => {
  const [span] = readSpans(answer([exported]))
  expect(span).toMatchObject({
    service: 'provider',
    parentId: undefined,
    startNs: 1790000000000000001n,
    endNs: 1790000000000000003n,
    failed: true,
    message: 'connect ECONNREFUSED',
    attributes: { attempt: 2, partner: 'dmitri' },
  })
})

test('a span exported twice is one, and an answer without spans is none', () => {
  expect(readSpans(answer([exported, exported]))).toHaveLength(1)
  expect(readSpans({})).toEqual([])
})
