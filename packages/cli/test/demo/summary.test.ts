import { expect, test } from 'vitest'
import { checkRun } from '../../src/demo/checks.ts'
import { summarize } from '../../src/demo/summary.ts'
import { drawChecks, drawSummary } from '../../src/view/summary-view.ts'
import { goodRun } from './evidence.ts'

const facts = { kills: 1, elapsedMs: 41_234.5, traceLink: (id: string) => `http://127.0.0.1:16686/trace/${id}` }

test('attempts are added up over centres and partners, and all but the first of each are retries', () => {
  const summary = summarize(goodRun, checkRun(goodRun), facts)
  expect(summary).toMatchObject({
    verdict: 'held',
    centers: 2,
    attempts: 12,
    retries: 6,
    effects: { senninha: 2, maas: 2, dmitri: 2 },
    eventsArchived: 12,
    audit: { missing: 0, duplicates: 0, conflicts: 0 },
    kills: 1,
    checks: { held: 6, failed: 0 },
    elapsedMs: 41_235,
  })
  expect(summary.journey?.link).toBe(`http://127.0.0.1:16686/trace/${'a'.repeat(32)}`)
})

test('one check that did not hold makes the verdict, in the figures and in words', () => {
  const evidence = { ...goodRun, deadLetters: 3 }
  const checks = checkRun(evidence)
  const summary = summarize(evidence, checks, facts)
  expect(summary).toMatchObject({ verdict: 'failed', checks: { held: 5, failed: 1 } })
  expect(drawSummary(summary, false)).toContain('1 of 6 checks failed.')
  expect(drawChecks(checks, false)).toContain('✗ no dead letters  3')
})
