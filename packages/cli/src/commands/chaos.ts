import { type Command, InvalidArgumentError, Option } from 'commander'
import { runCloneScript } from '../system/clone-script.ts'

type ChaosOptions = {
  seed?: number
  minutes?: number
  topology: string
  only?: string[]
  calm?: true
  plant?: string
  rate: number
  out?: string
  plan?: true
  json?: true
}

/** Everything is healed, gathered and judged before it ends. */
const GRACE_MS = 180_000

/** `malha chaos`: the whole reference mesh under faults that follow from a seed, and a checker that judges what came of it. */
export function register(program: Command): void {
  const chaos = program
    .command('chaos')
    .description('break the reference mesh under load, by a plan that follows from a seed, and check what came of it')
    .option('--seed <n>', 'what happens when follows from it; without one, one is drawn', wholeNumber)
    .option('--minutes <n>', 'how long the load is on; 5 unless said otherwise, with --plant a quarter', positive)
    .addOption(new Option('--topology <kind>', 'one broker, or three').choices(['single', 'cluster']).default('single'))
    .option('--only <nemeses>', 'only these, comma separated', names)
    .addOption(
      new Option('--calm', 'break nothing, and say what grew: memory and open files of each process').conflicts('only'),
    )
    .option('--plant <defect>', 'give some processes this defect, to see that its rule finds it')
    .option('--rate <n>', 'messages a second', positive, 650)
    .option('--out <folder>', 'where the run is kept; chaos-<seed> unless said otherwise')
    .option('--plan', 'say what would happen when, as JSON, and run nothing')
    .option('--json', 'the report as one line of JSON on stdout')
    .addHelpText(
      'after',
      `
Examples:
  malha chaos --seed 7 --minutes 2
Exit codes: 0 every rule held, 1 one did not, or an error.`,
    )
    .action(async (options: ChaosOptions) => {
      const seed = options.seed ?? Math.floor(Math.random() * 2 ** 31)
      const minutes = options.minutes ?? (options.plant === undefined ? 5 : 0.25)
      await script('chaos/main.ts', [JSON.stringify({ ...options, seed, minutes })])
    })
  chaos
    .command('check')
    .description('check the saved history of a run again')
    .argument('<folder>', 'where the run was kept')
    .addHelpText('after', '\nExamples:\n  malha chaos check chaos-7\nExit codes: 0 every rule held, 1 one did not.')
    .action(async (folder: string, _options, command: Command) => {
      const { json } = command.optsWithGlobals<{ json?: true }>()
      await script('chaos/check.ts', [folder, ...(json ? ['--json'] : [])])
    })
}

async function script(file: string, args: readonly string[]): Promise<void> {
  const onLine = (line: string, from: 'stdout' | 'stderr'): void => void process[from].write(`${line}\n`)
  process.exitCode = await runCloneScript({ command: 'chaos', file, args, onLine, graceMs: GRACE_MS })
}

function wholeNumber(text: string): number {
  const number = Number(text)
  if (!/^\d+$/.test(text) || number > 2 ** 31) throw new InvalidArgumentError('a whole number up to 2147483648')
  return number
}

function positive(text: string): number {
  const number = Number(text)
  if (!(number > 0)) throw new InvalidArgumentError('a number above 0')
  return number
}

function names(text: string): string[] {
  return text.split(',').map((name) => name.trim())
}
