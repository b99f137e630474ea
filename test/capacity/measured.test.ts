import { readFile } from 'node:fs/promises'
import { measuredConstants, planCapacity } from '@malha/deployment'
import { expect, test } from 'vitest'
import type { GrowthResult } from '../bench/growth/run-growth.ts'
import type { BenchResult } from '../bench/result.ts'
import { constantsOfBench, curvesOfGrowth } from './from-bench.ts'
import { LEAST_BYTES, orderOf } from './payloads.ts'

const read = async <T>(name: string): Promise<T> =>
  JSON.parse(await readFile(new URL(`../../docs/performance/${name}`, import.meta.url), 'utf8')) as T

test('rates of plans are those of the benchmark as it is committed: node test/capacity/main.ts --rates-only takes them over', async () => {
  const [bench, growth] = await Promise.all([read<BenchResult>('results.json'), read<GrowthResult>('growth.json')])
  expect(measuredConstants.constants).toMatchObject(constantsOfBench(bench))
  expect(measuredConstants.curves).toEqual(curvesOfGrowth(growth))
})

test('what is computed for publishes is what was measured at the sizes that were', async () => {
  const { scenarios } = await read<BenchResult>('results.json')
  const rate = (bytes: number, replicas: number): number =>
    planCapacity({ eventsPerSecond: 1, bytes, retentionMs: 1000, replicas, syncAlways: false }).limits.find(
      ({ what }) => what === 'publishes of one stream',
    )!.most
  for (const [name, bytes, replicas] of [
    ['publish', 128, 1],
    ['publish-1KiB', 1024, 1],
    ['publish-R3', 128, 3],
    ['publish-R3-1KiB', 1024, 3],
  ] as const)
    expect(rate(bytes, replicas)).toBeCloseTo(scenarios.find((each) => each.name === name)!.rate!, 3)
  expect(rate(8192, 3)).toBeLessThan(rate(1024, 3) / 2)
})

test('a payload has the length that is asked for, and none is like another', () => {
  for (const bytes of [LEAST_BYTES, 700, 16_384]) {
    const [one, other] = [1, 2].map((n) => JSON.stringify(orderOf(bytes)(n)))
    expect([Buffer.byteLength(one!), Buffer.byteLength(other!)]).toEqual([bytes, bytes])
    expect(one).not.toBe(other)
    expect(JSON.stringify(orderOf(bytes)(1))).toBe(one)
  }
})
