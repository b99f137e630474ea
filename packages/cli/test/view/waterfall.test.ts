import { expect, test } from 'vitest'
import type { Span } from '@malha/operations'
import { drawWaterfall } from '../../src/view/waterfall.ts'

const T0 = 1_790_000_000_000_000_000n

type Sketch = {
  id: string
  parent?: string
  service?: string
  name?: string
  at: number
  took: number
  failed?: boolean
}

function span({ id, parent, service = 'api', name = id, at, took, failed = false }: Sketch): Span {
  const startNs = T0 + BigInt(Math.round(at * 1e6))
  const endNs = startNs + BigInt(Math.round(took * 1e6))
  return {
    traceId: 't',
    spanId: id,
    parentId: parent,
    service,
    name,
    startNs,
    endNs,
    failed,
    message: '',
    attributes: {},
  }
}

const journey = [
  span({ id: 'post', at: 0, took: 10, name: 'POST /centers' }),
  span({ id: 'publish', parent: 'post', at: 2, took: 6, name: 'publish center.registered' }),
  span({ id: 'try1', parent: 'publish', service: 'city-registration', name: 'process', at: 12, took: 8, failed: true }),
  span({ id: 'try2', parent: 'publish', service: 'city-registration', name: 'process', at: 12_020, took: 10 }),
]

test('a child stands below its parent, indented, with its service and how long it took', () => {
  const lines = drawWaterfall(journey, { width: 120 })
  expect(lines).toHaveLength(5)
  expect(lines[1]).toMatch(/^api\s+POST \/centers\s+█.*10 ms$/)
  expect(lines[2]).toMatch(/^api\s+ {2}publish center\.registered\s+/)
})

test('a failed attempt carries a cross and the retry its number', () => {
  const lines = drawWaterfall(journey, { width: 120 })
  expect(lines[3]).toMatch(/ process .*8\.0 ms ✗$/)
  expect(lines[4]).toMatch(/↻2 process .*10 ms$/)
})

test('a long idle gap is cut out, marked in every row and named with its length', () => {
  const lines = drawWaterfall(journey, { width: 120 })
  expect(lines[0]).toContain('12.0 s')
  for (const line of lines.slice(1)) expect(line.match(/╱/g)).toHaveLength(2)
  const [first, second] = [lines[3]!, lines[4]!]
  expect(first.lastIndexOf('█')).toBeLessThan(first.indexOf('╱'))
  expect(second.indexOf('█')).toBeGreaterThan(second.lastIndexOf('╱'))
})

test('without a gap worth it nothing is cut, and bars are as long as their time', () => {
  const lines = drawWaterfall(
    [span({ id: 'a', at: 0, took: 100 }), span({ id: 'b', at: 100, took: 50 }), span({ id: 'c', at: 150, took: 50 })],
    { width: 100 },
  )
  const bars = lines.slice(1).map((line) => line.match(/█/g)!.length)
  expect(lines.join('')).not.toContain('╱')
  expect(bars[0]! / bars[1]!).toBeCloseTo(2, 0)
  expect(Math.abs(bars[1]! - bars[2]!)).toBeLessThanOrEqual(1)
})

test('no line is wider than the terminal, however narrow, and none under 40 columns is asked for', () => {
  for (const width of [10, 40, 41, 60, 83, 84, 100, 160, 240])
    for (const line of drawWaterfall(journey, { width }))
      expect(Array.from(line).length).toBeLessThanOrEqual(Math.max(40, width))
})

test('every bar stays inside its own stretch, at any width', () => {
  for (let width = 40; width <= 200; width++)
    for (const line of drawWaterfall(journey, { width }).slice(1)) expect(line, `${width} columns`).toMatch(/█/)
})

test('a long run of failed attempts is folded into one line that says how many it hides', () => {
  const attempts = Array.from({ length: 20 }, (_, n) =>
    span({ id: `try${n}`, parent: 'post', name: 'process', at: 20 + n * 1000, took: 5, failed: n < 19 }),
  )
  const inner = attempts.map((each, n) =>
    span({ id: `call${n}`, parent: each.spanId, name: 'POST', at: 21 + n * 1000, took: 3 }),
  )
  const lines = drawWaterfall([journey[0]!, ...attempts, ...inner], { width: 140 })
  expect(lines.some((line) => line.includes('⋮ 16 more failed attempts'))).toBe(true)
  expect(lines.filter((line) => line.includes('process')).map((line) => /↻(\d+)/.exec(line)?.[1])).toEqual([
    undefined,
    '2',
    '19',
    '20',
  ])
})

test('two outputs of one handler are no retry', () => {
  const lines = drawWaterfall([
    journey[0]!,
    ...['a', 'b'].map((id, n) => span({ id, parent: 'post', name: 'publish', at: n, took: 1 })),
  ])
  expect(lines.join('')).not.toContain('↻')
})

test('a span whose parent was never stored stands at the root, and a trace of one instant is drawn', () => {
  const lines = drawWaterfall([span({ id: 'only', parent: 'lost', at: 0, took: 0 })], { width: 60 })
  expect(lines[1]).toMatch(/^only\s+█\s+0 ms$/)
})

test('an empty trace says so', () => {
  expect(drawWaterfall([])).toEqual(['(no spans)'])
})

test('colours are only there when asked for', () => {
  const escape = String.fromCodePoint(27)
  expect(drawWaterfall(journey, { colors: false }).join('')).not.toContain(escape)
  expect(drawWaterfall(journey, { colors: true }).join('')).toContain(escape)
})
