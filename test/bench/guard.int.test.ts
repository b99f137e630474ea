import { expect, test } from 'vitest'
import { findScenarios } from './find-scenarios.ts'
import { holds } from './judge.ts'
import { measuredAs, type Rounds } from './ratio.ts'
import { runCase } from './run-case.ts'
import type { Limits } from './scenario.ts'

/**
 * Counters and ratios, which a slow machine does not change much, and far from what is measured: what fails here has lost
 * something for good. How fast it is, `malha bench` says.
 */
const limits: Record<string, Limits> = {
  // Thousands in flight share a write; one each would be 1.
  publish: { socketWritesPerMessage: 0.1, allocatedBytesPerMessage: 12_000, cpuToPlain: 1.5 },
  // The plain client writes every ack by itself, so the counter is seen to count.
  consume: { socketWritesToPlain: 0.1, allocatedBytesPerMessage: 10_000, cpuToPlain: 1.3 },
}

test.each(Object.keys(limits))(
  '%s costs no more writes, memory and CPU a message than it should',
  async (name) => {
    const rounds = await measureBesidePlain(name)
    const measured = Object.keys(limits[name]!).map((limit) => ({ limit, found: measuredAs(rounds, limit) }))
    expect(measured.filter(({ limit, found }) => !holds(limit, limits[name]![limit]!, found))).toEqual([])
  },
  300_000,
)

/** A few rounds of a scenario's first case. */
async function measureBesidePlain(name: string): Promise<Rounds> {
  const found = (await findScenarios()).find((each) => each.name === name)!
  const { mesh, plain } = found.scenario.variants
  const scenario = { ...found.scenario, variants: { mesh, plain: plain! } }
  const signal = new AbortController().signal
  const of = scenario.cases[0]
  return await runCase({ ...found, scenario, of, messages: 4000, rounds: 3, signal, say: () => undefined })
}
