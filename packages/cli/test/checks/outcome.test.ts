import { expect, test } from 'vitest'
import { outcomeOf, summaryLines } from '../../src/checks/outcome.ts'
import type { StepOutcome } from '../../src/checks/outcome.ts'
import { skipFaults } from '../../src/checks/skips.ts'

const step = (more: Partial<StepOutcome>): StepOutcome => ({
  name: 'unit',
  ok: true,
  output: '',
  ms: 1234,
  tests: [],
  ...more,
})

test('tests are added up over the steps', () => {
  const passed = { name: 'a', status: 'passed' } as const
  const skipped = { name: 'b', status: 'skipped' } as const
  const outcome = outcomeOf([step({ tests: [passed, passed] }), step({ name: 'int', tests: [passed, skipped] })], [])
  expect(outcome).toMatchObject({ passed: 3, failed: 0, skipped: 1 })
})

test('a step that fails without a failed test counts as one, with failed tests as those', () => {
  const failed = { name: 'a', status: 'failed' } as const
  const outcome = outcomeOf(
    [step({ name: 'lint', ok: false }), step({ ok: false, tests: [failed, failed] }), step({ name: 'types' })],
    [],
  )
  expect(outcome.failed).toBe(3)
})

test('a fault of the whole run counts as failed and is named', () => {
  const outcome = outcomeOf([step({})], ['skipped without an entry in test/skips.json: b'])
  expect(outcome.failed).toBe(1)
  expect(summaryLines(outcome).at(-1)).toBe('fault: skipped without an entry in test/skips.json: b')
})

test('a skipped test that is not in the committed list is a fault, by its full name', async () => {
  const tests = [{ name: 'a test nobody listed', status: 'skipped' } as const]
  expect(await skipFaults(tests, { whole: false })).toEqual([
    'skipped without an entry in test/skips.json: a test nobody listed',
  ])
  expect(await skipFaults([{ name: 'a test that ran', status: 'passed' }], { whole: false })).toEqual([])
})
