import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dataFolder, malha } from '../malha-command.ts'
import type { Verdict } from './checker/check-saved.ts'
import { plants } from './plants/plants.ts'
import type { RunResult } from './run/run.ts'

/** Harm that leaves processes alive: one that is killed forgets which message it keeps back. */
const ONLY = 'partner-fault,pause-process,stall-link,delay-link'
const SEED = '11'

describe('a defect in a running system', () => {
  it.each(plants)('$name is found, with its message, in each run of a seed and in what it leaves', async (plant) => {
    await using data = await dataFolder()
    for (const folder of ['first', 'again'].map((name) => join(data.path, name))) {
      const args = ['--seed', SEED, '--plant', plant.name, '--only', ONLY, '--rate', '300', '--out', folder]
      await using chaos = malha('chaos', ...args, '--json')
      expect(await chaos.ended).toBe(1)
      const { planted, verdict } = JSON.parse(chaos.stdout) as RunResult
      expect(planted?.rule).toBe(plant.rule)
      expect(planted?.hit.length).toBeGreaterThanOrEqual(1)
      expect(planted?.named.length).toBeGreaterThanOrEqual(1)
      const found = verdict.rules.flatMap(({ rule, violations }) => violations.map((one) => ({ ...one, rule })))
      // Nothing else was wrong, and each violation shows its lines.
      expect(found.filter(({ rule, message }) => rule !== plant.rule || !planted?.hit.includes(message.id))).toEqual([])
      for (const { message, lines } of found)
        expect(lines.map(({ text }) => text)).toContainEqual(expect.stringContaining(`"id":"${message.id}"`))

      await using check = malha('chaos', 'check', folder, '--json')
      expect(await check.ended).toBe(1)
      expect(JSON.parse(check.stdout) as Verdict).toEqual(verdict)
    }
  })
})
