import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { dataFolder, malha, type MalhaCommand } from '../malha-command.ts'
import type { Verdict } from './checker/check-saved.ts'
import type { Plan } from './plan.ts'
import type { RunResult } from './run/run.ts'

/** Those that take no longer to undo than they last. */
const NEMESES = [
  'kill-process',
  'pause-process',
  'kill-broker',
  'cut-link',
  'stall-link',
  'one-way-link',
  'delay-link',
  'kill-clickhouse',
  'refuse-clickhouse',
  'partner-fault',
  'clock-jump',
  'delete-consumer',
  'redrive',
  'pause-handler',
]
const OPTIONS = ['--seed', '20', '--minutes', '1', '--rate', '100', '--only', NEMESES.join(',')]

test('a minute of faults by a seed: nothing lost, nothing twice, in order, and a saved run is judged alike', async () => {
  await using data = await dataFolder()
  const folder = join(data.path, 'run')
  await using planned = malha('chaos', ...OPTIONS, '--plan')
  const plan = JSON.parse(await jsonOf(planned)) as Plan
  await using chaos = malha('chaos', ...OPTIONS, '--out', folder, '--json')
  const result = JSON.parse(await jsonOf(chaos)) as RunResult

  expect(result.verdict.rules.filter(({ count }) => count > 0)).toEqual([])
  expect(result.troubles).toEqual([])
  expect({ ...result.rest, afterMs: 0 }).toEqual({ isQuiet: true, afterMs: 0, open: [] })
  expect(await chaos.ended).toBe(0)
  expect(result.faults.map(({ nemesis }) => nemesis).toSorted()).toEqual(
    plan.steps.map(({ nemesis }) => nemesis).toSorted(),
  )
  expect(result.faults.length).toBeGreaterThanOrEqual(8)
  expect(result.messages).toBeGreaterThan(3000)
  expect(result.counts.published).toBeGreaterThan(3000)
  expect(result.counts.unknown).toBeLessThan(result.counts.published / 10)
  expect(result.verdict.excused).toBe(0)
  expect(await readFile(join(folder, 'report.md'), 'utf8')).toMatch(/^# Chaos run of seed 20/)

  await using again = malha('chaos', 'check', folder, '--json')
  expect(JSON.parse(await jsonOf(again)) as Verdict).toEqual(result.verdict)
  expect(await again.ended).toBe(0)
})

async function jsonOf(command: MalhaCommand): Promise<string> {
  await command.ended
  if (!command.stdout.startsWith('{')) throw new Error(`no JSON:\n${command.stdout}${command.stderr}`)
  return command.stdout
}
