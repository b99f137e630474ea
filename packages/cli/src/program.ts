import { createRequire } from 'node:module'
import { Command } from 'commander'
import { addCompletion } from './commands/completion.ts'

/** Beside `src` as well as beside `dist`. */
const { version } = createRequire(import.meta.url)('../package.json') as { version: string }

/** What each file of `commands/` exports: it adds its command, with options and action, to the program. */
export type CommandModule = { register(program: Command): void }

/** Loaded only when asked for, so that `malha test` does not wait for the modules of `malha demo`. */
const commands: Record<string, () => Promise<CommandModule>> = {
  up: () => import('./commands/up.ts'),
  demo: () => import('./commands/demo.ts'),
  test: () => import('./commands/test.ts'),
  bench: () => import('./commands/bench.ts'),
  chaos: () => import('./commands/chaos.ts'),
  console: () => import('./commands/console.ts'),
  archive: () => import('./commands/archive.ts'),
  handlers: () => import('./commands/handlers.ts'),
  dlq: () => import('./commands/dlq.ts'),
  replay: () => import('./commands/replay.ts'),
  runs: () => import('./commands/runs.ts'),
  audit: () => import('./commands/audit.ts'),
  streams: () => import('./commands/streams.ts'),
  'hand-over': () => import('./commands/hand-over.ts'),
  tail: () => import('./commands/tail.ts'),
  journey: () => import('./commands/journey.ts'),
  why: () => import('./commands/why.ts'),
  publish: () => import('./commands/publish.ts'),
  contracts: () => import('./commands/contracts.ts'),
  describe: () => import('./commands/describe.ts'),
  doctor: () => import('./commands/doctor.ts'),
  context: () => import('./commands/context.ts'),
  provision: () => import('./commands/provision.ts'),
  backup: () => import('./commands/backup.ts'),
  restore: () => import('./commands/restore.ts'),
  rebuild: () => import('./commands/rebuild.ts'),
  notify: () => import('./commands/notify.ts'),
  deploy: () => import('./commands/deploy.ts'),
  capacity: () => import('./commands/capacity.ts'),
}

/**
 * The `malha` program, ready for `parseAsync(argv, { from: 'user' })`.
 * @param argv Arguments without the node binary and the script. Only the command they name is loaded; none named loads all, for the help text.
 */
export async function createProgram(argv: readonly string[]): Promise<Command> {
  const program = new Command('malha')
    .description('A mesh of small services on NATS JetStream: run it, try it, test it, look into its archive.')
    .version(version, '--version', 'display the version')
    .showHelpAfterError('(malha --help lists what there is)')
  const load = commands[argv[0] ?? '']
  for (const one of load ? [load] : Object.values(commands)) (await one()).register(program)
  if (!load) await addCompletion(program)
  return program
}
