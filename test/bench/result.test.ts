import { expect, test } from 'vitest'
import { merged } from './merged.ts'
import { resultOf } from './result.ts'
import type { Case, Scenario } from './scenario.ts'
import { drawResult } from './table.ts'

const scenario: Scenario = {
  title: 'Publish',
  message: 'one event',
  variants: { mesh: ['mesh.ts'], plain: ['plain.ts'] },
  cases: [{ payloadBytes: 128, replicas: 1 }],
  messages: { full: 10 },
  floor: { ratioToPlain: 2 },
  goal: { ratioToPlain: 3, meanMs: 1 },
}
const rounds = {
  mesh: [
    { rate: 200.04, cpuUsPerMessage: 10 },
    { rate: 220, cpuUsPerMessage: 30 },
    { rate: 240, cpuUsPerMessage: 20 },
  ],
  plain: [{ rate: 100 }, { rate: 100 }, { rate: 100 }],
}
const startedAt = '2026-01-02T00:00:00Z'
const of = (each: Case) => resultOf({ name: 'publish', scenario, of: each }, { rounds, messages: 10, startedAt })

test('a case has medians, ratios, its limits and what they came to', () => {
  expect(of(scenario.cases[0])).toMatchObject({
    name: 'publish',
    rate: 220,
    cpuUsPerMessage: 20,
    p50Ms: null,
    p99Ms: null,
    ratioToPlain: 2.2,
    ratioToLean: null,
    floor: { ratioToPlain: 2 },
    goal: { ratioToPlain: 3, meanMs: 1 },
    met: 'floor',
    measured: { ratioToPlain: 2.2, meanMs: null },
    variants: { mesh: { rate: 220 }, plain: { rate: 100 } },
  })
  expect(of(scenario.cases[0]).samples['mesh']).toHaveLength(3)
})

test('a case may have limits of its own, and is named by its suffix', () => {
  const other = of({ suffix: 'R3', payloadBytes: 128, replicas: 3, floor: { ratioToPlain: 2.5 }, goal: {} })
  expect(other).toMatchObject({ name: 'publish-R3', scenario: 'publish', met: 'none', replicas: 3 })
})

test('what is measured again takes its place among the others, if nothing else has changed', () => {
  const machine = { cpu: 'Some CPU', cores: 2, memoryGiB: 8, kernel: '6', platform: 'linux-x64' }
  const [first, other] = [of(scenario.cases[0]), of({ suffix: 'R3', payloadBytes: 128, replicas: 3 })]
  const before = { machine, versions: { node: '24' }, scenarios: [first, other], startedAt, quick: false }
  const later = { ...first, startedAt: '2026-01-03T00:00:00Z' }
  const again = { ...before, scenarios: [later, { ...other, name: 'new' }], startedAt: later.startedAt }
  expect(merged(before, again)).toEqual({ ...before, scenarios: [later, other, { ...other, name: 'new' }] })
  expect(() => merged(before, { ...again, quick: true })).toThrow('write them to another file')
  expect(() => merged(before, { ...again, versions: { node: '26' } })).toThrow('measure all')
})

test('the table says what does not hold, and by how much', () => {
  const machine = { cpu: 'Some CPU', cores: 2, memoryGiB: 8, kernel: '6', platform: 'linux-x64' }
  const missed = of({ payloadBytes: 128, replicas: 1, floor: { ratioToPlain: 2.5, cpuToPlain: 0.6 } })
  const result = { machine, versions: {}, scenarios: [missed], startedAt: '', quick: true }
  const drawn = drawResult(result, false)
  expect(drawn).toContain('ratioToPlain ≥ 2.5 (2.2)')
  expect(drawn).toContain('cpuToPlain ≤ 0.6 (not measured)')
  expect(drawn).toContain('1 of 1 floors do not hold.')
})
