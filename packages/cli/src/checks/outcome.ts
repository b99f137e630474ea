import type { StepName, StepResult } from './steps.ts'

export type StepOutcome = StepResult & { name: StepName; ms: number }

export type Outcome = {
  passed: number
  /** Tests that failed, and one for each step that failed by itself. */
  failed: number
  skipped: number
  steps: { name: StepName | 'faults'; ok: boolean; ms: number; passed: number; failed: number; skipped: number }[]
  /** What is wrong with the run as a whole, one sentence each: skips without a reason, a filter that matched nothing. */
  faults: readonly string[]
}

/** Adds up what the steps did. */
export function outcomeOf(done: readonly StepOutcome[], faults: readonly string[]): Outcome {
  const steps: Outcome['steps'] = done.map(({ name, ok, ms, tests }) => {
    const count = (status: string): number => tests.filter((test) => test.status === status).length
    const failed = count('failed')
    return { name, ok, ms, passed: count('passed'), failed: ok || failed > 0 ? failed : 1, skipped: count('skipped') }
  })
  if (faults.length > 0) steps.push({ name: 'faults', ok: false, ms: 0, passed: 0, failed: faults.length, skipped: 0 })
  const sum = (field: 'passed' | 'failed' | 'skipped'): number => steps.reduce((total, step) => total + step[field], 0)
  return { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped'), steps, faults }
}

/** A line a step and a line a fault. */
export function summaryLines({ steps, faults }: Outcome): string[] {
  const lines = steps.map(({ name, ok, ms, passed, failed, skipped }) => {
    const tests = passed + failed + skipped > 0 ? `${passed} passed, ${failed} failed, ${skipped} skipped` : ''
    const time = `${(ms / 1000).toFixed(1)} s`
    return `${name.padEnd(9)} ${ok ? 'ok    ' : 'FAILED'} ${time.padStart(8)}  ${tests}`.trimEnd()
  })
  return [...lines, ...faults.map((fault) => `fault: ${fault}`)]
}
