import { expect, test } from 'vitest'
import { malha } from './malha-command.ts'

type Summary = {
  verdict: string
  centers: number
  attempts: number
  retries: number
  effects: Record<string, number>
  eventsArchived: number
  audit: Record<string, number>
  kills: number
  checks: { held: number; failed: number; list: { name: string; held: boolean; detail: string }[] }
  journey: { failedAttempts: number; link: string } | null
}

test('the demo of 30 centres holds every check, with partners that fail and a service that is killed', async () => {
  await using command = malha('demo', '--centers', '30', '--json')
  const ended = await command.ended
  if (!command.stdout.includes('{')) throw new Error(`the demo ended with ${ended}:\n${command.stderr}`)
  const lines = command.stdout.trimEnd().split('\n')
  const summary = JSON.parse(lines.at(-1) ?? '') as Summary
  expect(summary.checks.list.filter((check) => !check.held)).toEqual([])
  expect(ended).toBe(0)
  expect(summary).toMatchObject({
    verdict: 'held',
    centers: 30,
    effects: { senninha: 30, maas: 30, dmitri: 30 },
    audit: { missing: 0, duplicates: 0, conflicts: 0 },
    kills: 1,
    checks: { held: 6, failed: 0 },
  })
  // At the least: registered, onboarded, two providers and one city a centre.
  expect(summary.eventsArchived).toBeGreaterThanOrEqual(30 * 5)
  expect(summary.attempts - summary.retries).toBe(90)
  expect(summary.retries).toBeGreaterThan(0)
  expect(summary.journey?.failedAttempts).toBeGreaterThan(0)
  expect(summary.journey?.link).toMatch(/^http:.*\/trace\/[0-9a-f]{32}$/)
  expect(command.stderr).toContain('dmitri is down')
  expect(command.stderr).toMatch(/killed provider \(pid \d+, SIGKILL\)/)
  expect(command.stderr).toContain('dmitri is back')
  expect(command.stderr).not.toContain('NATS refused')
}, 300_000)
