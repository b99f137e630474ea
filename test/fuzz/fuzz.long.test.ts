import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { json } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import type { Outcome } from './engine/fuzz.ts'

type Told = Omit<Outcome, 'corpus'> & { corpus: number }

/** In a process of its own, so that nothing but the code under test is measured. */
async function run(...args: string[]): Promise<Told[]> {
  const script = fileURLToPath(new URL('run.ts', import.meta.url))
  const child = spawn(process.execPath, [script, '--json', ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [told] = await Promise.all([json(child.stdout), once(child, 'close')])
  return told as Told[]
}

const HOUR_MS = 3_600_000

test('a million cases find nothing that does not hold', { timeout: HOUR_MS }, async () => {
  const outcomes = await run('--cases', '1000000', '--seed', String(Math.floor(Date.now() / 1000)))
  expect(outcomes.flatMap(({ findings }) => findings)).toEqual([])
  expect(outcomes.reduce((sum, { cases }) => sum + cases, 0)).toBeGreaterThanOrEqual(1_000_000)
  for (const { target, covered } of outcomes)
    expect({ target, hasCoverage: covered > 0 }).toEqual({ target, hasCoverage: true })
})

test('coverage leads to a defect behind four bytes, which chance does not find in as many cases', async () => {
  const [guided] = await run('planted', '--cases', '500000')
  expect(guided?.findings.map(({ what }) => what)).toEqual([expect.stringContaining('bytes that were not there')])
  const [blind] = await run('planted', '--cases', '500000', '--blind')
  expect(blind).toMatchObject({ cases: 500_000, findings: [] })
})
