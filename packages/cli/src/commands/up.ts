import { type Command, Option } from 'commander'
import { openDataDir } from '../system/data-dir.ts'
import { openLogFiles } from '../system/log-files.ts'
import { addPortOptions, portsFrom } from '../system/port-options.ts'
import { startSystem } from '../system/start-system.ts'
import { listenForStop, StopRequested } from '../system/stop-request.ts'
import { echoTo, say, wantsColors } from '../view/say.ts'
import { drawSystem } from '../view/system-view.ts'

type UpOptions = { consoleRole: string; data?: string; json?: true; verbose?: true } & Record<string, unknown>

/** `malha up`: the whole system until Ctrl-C. */
export function register(program: Command): void {
  const command = program
    .command('up')
    .description(
      'start NATS, ClickHouse, traces, the partner simulators, the services, the archive and the console, until Ctrl-C',
    )
    .option('--data <dir>', 'keep everything there and go on with what is there; without it, a temporary folder')
    .addOption(
      new Option('--console-role <role>', 'what the web console may do: only look, act, or act on all at once')
        .choices(['viewer', 'operator', 'admin'])
        .default('viewer'),
    )
    .option('--json', 'one line on stdout once all is ready, nothing else')
    .option('--verbose', "show the processes' logs on stderr")
  addPortOptions(command, 'default')
  command.addHelpText(
    'after',
    `
Examples:
  malha up
  malha up --data ./data --ports random --json
Exit codes: 1 an error, 130 stopped by Ctrl-C.`,
  )
  command.action(async (options: UpOptions) => {
    const stopped = await up(options).catch((error: unknown) => error)
    if (stopped instanceof StopRequested) process.exitCode = 130
    else if (stopped !== undefined) throw stopped
  })
}

async function up(options: UpOptions): Promise<void> {
  using stop = listenForStop()
  const ports = await portsFrom(options)
  await using data = await openDataDir(options.data)
  await using logs = openLogFiles(await data.folder('logs'), echoTo(options.verbose))
  say('starting NATS, ClickHouse, traces, three partner simulators, three services, the archive and the console …')
  const startedAt = Date.now()
  await using system = await startSystem({
    consoleRole: options.consoleRole,
    data,
    ports,
    logs,
    log: say,
    signal: stop.signal,
  })
  if (options.json) process.stdout.write(`${JSON.stringify(system.report)}\n`)
  else process.stdout.write(`${drawSystem(system.report, data.path, wantsColors(process.stdout))}\n`)
  say(`ready after ${((Date.now() - startedAt) / 1000).toFixed(1)} s`)
  await stop.asked
  say('stopping …')
}
