import { eventually } from '@malha/testing'
import { expect } from 'vitest'
import type { Lab } from './lab/fault.ts'
import { type Prometheus, startPrometheus } from './prometheus.ts'

/** An hour is a minute. */
export const SCALE: number = 1 / 60
export const WITHIN = { timeoutMs: 300_000, intervalMs: 500 } as const

export type Drive = { bin: string; labs: readonly Lab[]; alerts: readonly string[] }

/**
 * Has a real Prometheus see labs without a fault, then with all of them until each of these alerts has fired, then without until
 * none of them fires any more. `see` looks at it before the first fault. Resolves with those that have fired
 * and ended.
 */
export async function drive(
  { bin, labs, alerts }: Drive,
  see?: (prometheus: Prometheus) => Promise<void>,
): Promise<string[]> {
  const targets = { malha: labs.flatMap((lab) => lab.targets) }
  const faults = labs.flatMap((lab) => lab.faults)
  expect(faults.flatMap((fault) => fault.alerts)).toEqual(expect.arrayContaining([...alerts]))
  await using prometheus = await startPrometheus({ bin, targets, scale: SCALE })
  await eventually(async () => (await prometheus.query('up')).length === targets.malha.length)
  await see?.(prometheus)
  const firing = async (): Promise<string[]> => {
    const now = await prometheus.firing()
    return alerts.filter((name) => now.has(name))
  }
  expect(await firing()).toEqual([])

  const seen = new Set<string>()
  const begun = Promise.all(faults.map((fault) => fault.begin()))
  await eventually(async () => {
    for (const name of await firing()) seen.add(name)
    expect(alerts.filter((name) => !seen.has(name))).toEqual([])
  }, WITHIN)
  await begun
  await Promise.all(faults.map((fault) => fault.end()))
  await eventually(async () => expect(await firing()).toEqual([]), WITHIN)
  return alerts.filter((name) => seen.has(name))
}
