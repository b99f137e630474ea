import { findNatsServer } from '@malha/stack'
import { endCommands } from './command.ts'
import { outcomeOf, summaryLines } from './outcome.ts'
import type { Outcome, StepOutcome } from './outcome.ts'
import { skipFaults } from './skips.ts'
import { steps } from './steps.ts'
import type { StepName, StepOptions, StepResult } from './steps.ts'

export type ChecksOptions = {
  steps: readonly StepName[]
  filter: string | undefined
  json: boolean
  /** Every step and every test: only then can the list of skips be held against what was skipped. */
  whole: boolean
}

type Say = (line: string) => void

const STILL_RUNNING_MS = 30_000

/**
 * Runs every step, also after one that failed. The last line on stdout is `N passed, N failed, N skipped`, in which a step
 * that fails by itself counts as one failed test.
 * @returns the exit code
 */
export async function runChecks(options: ChecksOptions): Promise<number> {
  const out = options.json ? process.stderr : process.stdout
  const say: Say = (line) => void out.write(`${line}\n`)
  const interrupted = endOnSignal(say)
  const done: StepOutcome[] = []
  for (const name of options.steps) {
    if (interrupted.aborted) return 130
    say(`── ${name}`)
    const result = await timed(name, options.filter, say)
    if (result.output && !result.ok) say(result.output)
    say(`── ${name}: ${result.ok ? 'ok' : 'FAILED'} after ${seconds(result.ms)}\n`)
    done.push(result)
  }
  if (interrupted.aborted) return 130
  const outcome = await judge(done, options)
  for (const line of summaryLines(outcome)) say(line)
  if (options.json) process.stdout.write(`${JSON.stringify(outcome)}\n`)
  process.stdout.write(`${outcome.passed} passed, ${outcome.failed} failed, ${outcome.skipped} skipped\n`)
  return outcome.failed === 0 ? 0 : 1
}

async function judge(done: readonly StepOutcome[], { whole, filter, steps: asked }: ChecksOptions): Promise<Outcome> {
  const tests = done.flatMap((step) => step.tests)
  const faults = await skipFaults(tests, { whole })
  const wantsTests = asked.some((name) => name === 'unit' || name === 'int' || name === 'e2e' || name === 'long')
  if (filter !== undefined && wantsTests && tests.length === 0) faults.push(`no test file's path contains "${filter}"`)
  return outcomeOf(done, faults)
}

async function timed(name: StepName, filter: string | undefined, say: Say): Promise<StepOutcome> {
  const startedAt = Date.now()
  const timer = setInterval(() => say(`   ${name}: running for ${seconds(Date.now() - startedAt)}`), STILL_RUNNING_MS)
  const result = await perform(name, { filter, progress: (line) => say(`   ${line}`) })
  clearInterval(timer)
  return { name, ms: Date.now() - startedAt, ...result }
}

/** A step that throws has failed; the others run all the same. */
async function perform(name: StepName, options: StepOptions): Promise<StepResult> {
  try {
    // Fetched once and before, not by the first tests in their own time.
    if (name === 'int' || name === 'e2e' || name === 'long') await findNatsServer({ log: options.progress })
    return await steps[name](options)
  } catch (error) {
    return { ok: false, output: error instanceof Error ? (error.stack ?? error.message) : String(error), tests: [] }
  }
}

function endOnSignal(say: Say): AbortSignal {
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      say(`${signal}: ending what runs`)
      interrupted.abort()
      void endCommands()
    })
  }
  return interrupted.signal
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
