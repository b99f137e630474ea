import { expect, test } from 'vitest'
import { allPlots, pageOf, readMeasured, readPage, readPlot } from './page.ts'
import { plotsOf } from './plots.ts'
import { resultOf } from './result.ts'

test('the page of results says what the committed data says: node test/bench/page.ts writes it anew', async () => {
  const [page, measured] = await Promise.all([readPage(), readMeasured()])
  expect(told(page)).toBe(told(pageOf(page, measured)))
  for (const [name, svg] of Object.entries(allPlots(measured))) expect(await readPlot(name)).toBe(svg)
})

/** The formatter aligns tables and keeps lines apart. */
const told = (markdown: string): string => markdown.replaceAll(/-{3,}/g, '---').replaceAll(/\s+/g, ' ')

const rounds = { mesh: [{ rate: 300 }], plain: [{ rate: 100 }], lean: [{ rate: 400 }] }
const scenario = {
  title: 'Publish',
  message: 'one event stored',
  variants: { mesh: [] },
  cases: [{ payloadBytes: 128, replicas: 1 as const }] as const,
  messages: { full: 1 },
  floor: { ratioToPlain: 2 },
  goal: { ratioToPlain: 3.5 },
}
const published = resultOf(
  { name: 'publish', scenario, of: scenario.cases[0] },
  { rounds, messages: 1, startedAt: '2026-01-02T00:00:00Z' },
)
const machine = { cpu: 'Some CPU', cores: 2, memoryGiB: 8, kernel: '6', platform: 'linux-x64' }
const result = {
  machine,
  versions: { malha: '0.1.0' },
  scenarios: [published],
  startedAt: '2026-01-02T00:00:00Z',
  quick: false,
}

const growth = {
  machine,
  versions: result.versions,
  startedAt: result.startedAt,
  curves: [
    {
      name: 'keys',
      title: 'Keys',
      x: 'keys',
      points: [
        { x: 1000, figures: { 'publish, µs': 10 } },
        { x: 1_000_000, figures: { 'publish, µs': 20 } },
      ],
      powers: { 'publish, µs': 0.1 },
    },
  ],
}

test('a row has the ratios, and the limits with what falls short', async () => {
  const page = pageOf(await readPage(), { results: result, growth })
  expect(page).toContain('| publish | 300 | – | – | – | – | – | 3 | 0.75 | floor |')
  expect(page).toContain('| publish | one event stored | `ratioToPlain` ≥ 2 | `ratioToPlain` ≥ 3.5 (3) |')
  expect(page).toContain('![ratios](performance/ratios.svg)')
  expect(page).toContain('| 1,000,000 | 20 |\n| grows by the power | 0.1 |')
  expect(page).toContain('![Keys](performance/growth-keys.svg)')
  expect(pageOf(page, { results: result, growth })).toBe(page)
})

test('a plot names its scenarios and is the same for the same data', () => {
  const { 'ratios.svg': svg } = plotsOf(result)
  expect(svg).toContain('publish')
  expect(svg).toContain('0.75')
  expect(plotsOf(result)).toEqual({ 'ratios.svg': svg })
})
