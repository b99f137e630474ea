import { runCommand } from './command.ts'
import { checkPackages } from './packages.ts'
import { runVitest } from './vitest.ts'

/** In the order they run: what answers soonest comes first. */
export const stepNames = ['types', 'lint', 'format', 'unused', 'packages', 'unit', 'int', 'e2e', 'long'] as const

export type StepName = (typeof stepNames)[number]

/** What every change is held against; `long` takes many minutes and is asked for by name. */
export const defaultSteps: readonly StepName[] = stepNames.filter((name) => name !== 'long')

export type TestCase = { name: string; status: 'passed' | 'failed' | 'skipped' }

export type StepResult = {
  ok: boolean
  /** What to show when it failed, unless it was shown while it ran. */
  output: string
  /** Empty for a step that runs no tests. */
  tests: readonly TestCase[]
}

export type StepOptions = {
  /** Only test files whose path contains this. */
  filter: string | undefined
  /** Hears each line of a step that takes its time. */
  progress: (line: string) => void
}

type Step = (options: StepOptions) => Promise<StepResult>

const plain =
  (command: string, ...args: string[]): Step =>
  async () => ({ ...(await runCommand(command, args)), tests: [] })

const MINUTE_MS = 60_000

/** Integration tests start servers and wait for them: as many files at once as the two cores of a small machine carry. End-to-end tests wait most. */
export const steps: Record<StepName, Step> = {
  types: async () => {
    const whole = await runCommand('tsc', ['-p', 'tsconfig.json', '--noEmit'])
    // What runs in a browser has other types around it.
    const page = await runCommand('tsc', ['-p', 'packages/console/page', '--noEmit'])
    return { ok: whole.ok && page.ok, output: [whole.output, page.output].filter(Boolean).join('\n'), tests: [] }
  },
  lint: plain('oxlint', '--type-aware', '--deny-warnings'),
  format: plain('oxfmt', '--check', '.'),
  unused: plain('knip', '--no-progress'),
  packages: async () => ({ ...(await checkPackages()), tests: [] }),
  unit: (options) => runVitest({ ...options, projects: ['unit', 'types'], workers: 3, timeoutMs: 5 * MINUTE_MS }),
  int: (options) => runVitest({ ...options, projects: ['int'], workers: 8, timeoutMs: 15 * MINUTE_MS, inMemory: true }),
  e2e: (options) => runVitest({ ...options, projects: ['e2e'], workers: 4, timeoutMs: 30 * MINUTE_MS, inMemory: true }),
  // They measure: one file at a time has the machine for itself.
  long: (options) => runVitest({ ...options, projects: ['long'], workers: 1, timeoutMs: 90 * MINUTE_MS }),
}
