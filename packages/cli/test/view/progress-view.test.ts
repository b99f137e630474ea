import { expect, test } from 'vitest'
import type { Progress } from '../../src/demo/progress.ts'
import { drawProgress, progressLine, showElapsed } from '../../src/view/progress-view.ts'

const progress: Progress = {
  elapsedMs: 12_345,
  doing: 'waiting for every centre to be onboarded',
  centers: 300,
  registered: 300,
  onboarded: 12,
  partners: {
    senninha: { created: 300, calls: 300, condition: 'up' },
    maas: { created: 150, calls: 301, condition: 'answers 503 half of the time' },
    dmitri: { created: 0, calls: 0, condition: 'down' },
  },
}

test('the live view has a line for each partner with its count and condition', () => {
  const lines = drawProgress(progress, { width: 100, colors: false }).split('\n')
  expect(lines[3]).toMatch(/^ {2}maas +█{16}░{16} +150 \/ 300 {2}301 calls, answers 503 half/)
  expect(lines[4]).toMatch(/dmitri +░+ +0 \/ 300 {2}0 calls, down$/)
})

test('no line of the live view is wider than the terminal', () => {
  for (const width of [40, 60, 80, 120, 200])
    for (const line of drawProgress(progress, { width, colors: false }).split('\n'))
      expect(Array.from(line).length).toBeLessThanOrEqual(width)
})

test('where there is no terminal the same fits one plain line', () => {
  expect(progressLine(progress)).toBe('12.3 s  registered 300, senninha 300, maas 150, dmitri 0, onboarded 12 of 300')
})

test('elapsed time stays as wide', () => {
  expect([80, 4321, 59_000].map(showElapsed)).toEqual([' 0.1 s', ' 4.3 s', '59.0 s'])
})
