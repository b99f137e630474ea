import { writeFile } from 'node:fs/promises'
import { afterAll, expect, it } from 'vitest'
import { type Redriven, redriveUnderKills } from './poisoned.ts'

const done: Redriven[] = []

/** `REDRIVE_RESULTS=docs/explanation/what-we-break/redrive.json` keeps what was done. */
afterAll(async () => {
  const file = process.env['REDRIVE_RESULTS']
  if (file !== undefined) await writeFile(file, `${JSON.stringify(done, undefined, 2)}\n`)
})

it.each([1, 2, 3])('500 poison messages among 5,000 are redriven once each under kills (seed %i)', async (seed) => {
  const harm = { kills: 12, rate: 30, killsBroker: true, outlivesWindow: true } as const
  const redriven = await redriveUnderKills({ orders: 5000, seed, ...harm })
  expect(redriven).toMatchObject({ letters: 500, resolved: 500 })
  expect([redriven.kills.runner, redriven.storedTwice].every((count) => count > 0)).toBe(true)
  done.push(redriven)
})
