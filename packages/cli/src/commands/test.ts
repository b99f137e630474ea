import { InvalidArgumentError } from 'commander'
import type { Command } from 'commander'
import { runChecks } from '../checks/run-checks.ts'
import { defaultSteps, stepNames } from '../checks/steps.ts'
import type { StepName } from '../checks/steps.ts'

type TestOptions = { only?: StepName[]; filter?: string; long?: true; json?: true }

/** `malha test`: everything that has to hold before a change lands. */
export function register(program: Command): void {
  program
    .command('test')
    .description('check types, lint, format, unused code and packages, then run unit, integration and end-to-end tests')
    .option('--only <steps>', `only these, comma separated: ${stepNames.join(', ')}`, readSteps)
    .option('--filter <text>', 'only test files whose path contains this; without --only it runs unit, int and e2e')
    .option('--long', 'also the tests that take minutes each (*.long.test.ts)')
    .option('--json', 'progress on stderr, and before the last line one line of JSON')
    .addHelpText(
      'after',
      `
Examples:
  malha test
  malha test --only types,lint
  malha test --filter packages/mesh
Exit codes: 0 all holds, 1 something does not.`,
    )
    .action(async ({ only, filter, long, json }: TestOptions) => {
      const chosen = only ?? (filter === undefined ? defaultSteps : (['unit', 'int', 'e2e'] as const))
      const steps = long && !chosen.includes('long') ? [...chosen, 'long' as const] : chosen
      process.exitCode = await runChecks({ steps, filter, json: json ?? false, whole: !only && !filter })
    })
}

function readSteps(text: string): StepName[] {
  const asked = text.split(',').map((name) => name.trim())
  const unknown = asked.filter((name) => !(stepNames as readonly string[]).includes(name))
  if (unknown.length > 0) throw new InvalidArgumentError(`There is no ${unknown.join(', ')}.`)
  return stepNames.filter((name) => asked.includes(name))
}
