import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { runCommand } from './command.ts'
import { memoryFolder } from './memory-folder.ts'
import type { StepOptions, StepResult, TestCase } from './steps.ts'
import { root } from './workspace.ts'

export type VitestOptions = StepOptions & {
  projects: readonly string[]
  workers: number
  timeoutMs: number
  /** Whether servers may keep in memory what they write. @default false */
  inMemory?: boolean
}

/** What vitest's JSON reporter writes, the part that is counted. */
type Report = {
  testResults: {
    name: string
    status: string
    message?: string
    assertionResults: { fullName: string; status: string }[]
  }[]
}

/** Runs projects of test/vitest.config.ts, says a line a file, and counts by vitest's own report. */
export async function runVitest(options: VitestOptions): Promise<StepResult> {
  const { projects, workers, filter, progress, timeoutMs, inMemory = false } = options
  await using memory = inMemory ? await memoryFolder() : undefined
  const dir = await mkdtemp(join(tmpdir(), 'malha-test-'))
  const file = join(dir, 'report.json')
  try {
    const args = ['run', '--config', 'test/vitest.config.ts', `--maxWorkers=${workers}`]
    for (const project of projects) args.push('--project', project)
    args.push('--reporter=default', '--reporter=json', `--outputFile.json=${file}`)
    if (filter !== undefined) args.push('--passWithNoTests', filter)
    const env = memory?.path === undefined ? {} : { TMPDIR: memory.path }
    const { ok } = await runCommand('vitest', args, { onLine: progress, timeoutMs, env })
    return judge(ok, await readReport(file))
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

function judge(ok: boolean, report: Report | undefined): StepResult {
  if (!report) return { ok: false, output: 'vitest ended without a report', tests: [] }
  const tests = report.testResults.flatMap(casesOf)
  const seenFailure = tests.some(({ status }) => status === 'failed')
  // An error outside of any test: an unhandled rejection, a typecheck of a source, no test files at all.
  const output = !ok && !seenFailure ? 'vitest failed outside of any test; its output is above' : ''
  return { ok: ok && !seenFailure, output, tests }
}

/** A file that could not be loaded has no cases and counts as one that failed. */
function casesOf({ name, status, assertionResults }: Report['testResults'][number]): TestCase[] {
  const path = relative(root, name)
  const cases = assertionResults.map((test) => ({ name: test.fullName, status: statusOf(test.status) }))
  const unexplained = status === 'failed' && !cases.some((test) => test.status === 'failed')
  return unexplained ? [...cases, { name: path, status: 'failed' }] : cases
}

function statusOf(status: string): TestCase['status'] {
  return status === 'passed' || status === 'failed' ? status : 'skipped'
}

async function readReport(file: string): Promise<Report | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined)
  return text === undefined ? undefined : (JSON.parse(text) as Report)
}
