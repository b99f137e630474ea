import type { Command } from 'commander'
import { createLogUpdate } from 'log-update'
import { runCloneScript } from '../system/clone-script.ts'

type BenchOptions = { quick?: true; growth?: true; json?: string; only?: string }

/** `malha bench`: what the mesh does beside the plain client and beside the least that could be done, on this machine. */
export function register(program: Command): void {
  program
    .command('bench')
    .description(
      'measure the mesh beside the plain NATS client and a lean loop, each figure a ratio out of the same run',
    )
    .option('--quick', 'small rounds, a minute and a half in all')
    .option('--growth', 'how prices grow instead: with the size of a message, with keys, letters and handlers')
    .option('--json <file>', 'write every figure of every round there')
    .option(
      '--only <scenarios>',
      'only these, comma separated; with --json they replace theirs in a file that is there',
    )
    .addHelpText(
      'after',
      `
Examples:
  malha bench --quick
Exit codes: 0 measured, 1 an error.`,
    )
    .action(async (options: BenchOptions) => {
      process.exitCode = await bench(options)
    })
}

/** Runs the clone's own script: what is measured beside the mesh is no part of a package. */
async function bench({ quick, growth, json, only }: BenchOptions): Promise<number> {
  const progress = showProgress()
  try {
    return await runCloneScript({
      command: 'bench',
      file: 'bench/main.ts',
      args: [
        ...(quick ? ['--quick'] : []),
        ...(growth ? ['--growth'] : []),
        ...given('--json', json),
        ...given('--only', only),
      ],
      onLine: (line, from) => (from === 'stdout' ? progress.result(line) : progress.line(line)),
    })
  } finally {
    progress.end()
  }
}

/** On a terminal what runs now is one line that changes; elsewhere every line stays. */
function showProgress(): { line(text: string): void; result(text: string): void; end(): void } {
  if (!process.stderr.isTTY) {
    return {
      line: (text) => void process.stderr.write(`${text}\n`),
      result: (text) => void process.stdout.write(`${text}\n`),
      end: () => undefined,
    }
  }
  const live = createLogUpdate(process.stderr)
  return {
    line: (text) => (/^ *\d+\.\d s {2}/.test(text) ? live(text) : live.persist(text)),
    result(text) {
      live.clear()
      process.stdout.write(`${text}\n`)
    },
    end: () => live.clear(),
  }
}

const given = (flag: string, value: string | undefined): string[] => (value === undefined ? [] : [flag, value])
