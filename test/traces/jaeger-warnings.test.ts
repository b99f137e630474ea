import { expect, test } from 'vitest'
import { jaegerWarnings, writtenWarnings } from './jaeger-warnings.ts'
import { plants, plantTrace } from './plants.ts'

test.each(plants)('Jaeger warns of %s as it should', (_, spans, expected) => {
  const found = jaegerWarnings(plantTrace(spans))
  expect(Object.fromEntries([...found].map(([id, warnings]) => [id[0], warnings]))).toEqual(expected)
})

test('a span that was exported twice is one, and a server span with the id of its client is below it', () => {
  const [client, below] = plantTrace([
    { host: 'one', from: 0, to: 10, kind: 'client' },
    { host: 'two', from: 3, to: 4 },
  ])
  const server = { ...client!, kind: 'server' as const, startNs: below!.startNs, resource: below!.resource }
  expect(jaegerWarnings([client!, client!, server, below!])).toEqual(new Map())
})

test('what Jaeger wrote is read, and a text that is unknown is no silence', () => {
  const [span] = plantTrace([{ from: 0, to: 1 }])
  const withText = (text: string): (typeof span)[] => [{ ...span!, attributes: { '@jaeger@warnings': [text] } }]
  const deltas = { '-1m2.5s': -62_500_000_000n, '1.5ms': 1_500_000n, '976.563µs': 976_563n, '-3ns': -3n }
  for (const [delta, deltaNs] of Object.entries(deltas)) {
    const [said] = withText(`clock skew adjustment disabled; not applying calculated delta of ${delta}`)
    expect(writtenWarnings(said!)).toEqual([{ rule: 'clock-skew', deltaNs }])
  }
  expect(writtenWarnings(span!)).toEqual([])
  expect(() => writtenWarnings(withText('the moon is full')[0]!)).toThrow('the moon is full')
})
