import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { startNotifier } from '@malha/operations'
import { healthAddress, serveHealth, startTelemetry } from '@malha/telemetry'
import { type Command, Option } from 'commander'
import { CliError } from '../cli-error.ts'
import { apart, type ConnectOptions, connectToMesh, withConnection } from '../connection/connect-options.ts'
import { listenForStop } from '../system/stop-request.ts'
import { say } from '../view/say.ts'
import { duration } from './arguments.ts'

type NotifyCommandOptions = ConnectOptions & {
  urlFile?: string
  format: 'json' | 'slack'
  consoleUrl?: string
  quiet?: number
  breakerOpen?: number
  headroom?: number
  remind?: number
  giveUp?: number
}

/** `malha notify`: tells people, until it is stopped. */
export function register(program: Command): void {
  withConnection(program.command('notify'))
    .description(
      'tell people by a webhook of dead letters, open breakers, events about to age out and streams about to be full',
    )
    .option(
      '--url-file <file>',
      'holds the address of the webhook, a secret; default MALHA_NOTIFY_URL_FILE, else the address in MALHA_NOTIFY_URL',
    )
    .addOption(
      new Option('--format <format>', 'how messages are put')
        .env('MALHA_NOTIFY_FORMAT')
        .choices(['json', 'slack'])
        .default('json'),
    )
    .addOption(
      new Option('--console-url <url>', 'base address of the console, for links').env('MALHA_NOTIFY_CONSOLE_URL'),
    )
    .option('--quiet <length>', 'at most one message a group in this time (default: 15m)', duration)
    .option('--breaker-open <length>', 'tell of a breaker that is open for so long (default: 5m)', duration)
    .option(
      '--headroom <length>',
      'tell when an event that is not handled ages out within this time (default: 1d)',
      duration,
    )
    .option('--remind <length>', 'tell again of what still stands after this time (default: 4h)', duration)
    .option('--give-up <length>', 'how long a message is tried before it is left for later (default: 1m)', duration)
    .addHelpText(
      'after',
      `
Runs until it is stopped. Writes its log as JSON lines to stdout; serves /livez, /readyz and /metrics where HEALTH_PORT is set.
Several may run beside each other: each message is told by one of them.

Examples:
  MALHA_NOTIFY_URL=https://hooks.example.com/services/… malha notify --format slack
  malha notify --url-file /run/secrets/webhook --console-url https://malha.example.com --quiet 30m
Exit codes: 0 stopped by SIGTERM, SIGINT or SIGHUP, 1 an error.`,
    )
    .action(notify)
}

async function notify(options: NotifyCommandOptions): Promise<void> {
  using stop = listenForStop()
  const url = await secretUrl(options.urlFile ?? process.env['MALHA_NOTIFY_URL_FILE'])
  await using telemetry = startTelemetry({
    service: 'notify',
    version: ownVersion(),
    env: { ...process.env, ...asSecrets(url) },
  })
  const { log: logger, metrics } = telemetry
  const { connection } = apart(options)
  await using mesh = await connectToMesh(connection, { acts: true, logger, metrics })
  await using notifier = await startNotifier(mesh, {
    url,
    format: options.format,
    consoleUrl: options.consoleUrl,
    quietMs: options.quiet,
    breakerOpenMs: options.breakerOpen,
    headroomMs: options.headroom,
    remindMs: options.remind,
    giveUpMs: options.giveUp,
    metrics,
  })
  const checks = { notifier: () => notifier.health().reasons.join('; ') }
  await using _health = process.env['HEALTH_PORT']
    ? await serveHealth({ ...healthAddress(process.env), mesh, metrics, checks })
    : undefined
  say(`telling ${new URL(url).host}, until Ctrl-C`)
  await stop.asked
  say('stopping …')
}

async function secretUrl(file: string | undefined): Promise<string> {
  if (!file) {
    const url = process.env['MALHA_NOTIFY_URL']?.trim()
    if (url) return url
    throw new CliError(
      'CLI_INVALID_OPTION',
      'there is no webhook to tell: put its address into MALHA_NOTIFY_URL, or into a file that --url-file names',
    )
  }
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CliError('CLI_INVALID_OPTION', `the file of the webhook, ${file}, cannot be read`, { cause })
  })
  return text.trim()
}

/** By names like these values are kept out of every line of the log and every span, whoever writes it. */
function asSecrets(url: string): Record<string, string> {
  const { href, pathname, search } = URL.parse(url) ?? { href: '', pathname: '', search: '' }
  return { URL_SECRET: url, HREF_SECRET: href, PATH_SECRET: pathname, SEARCH_SECRET: search.slice(1) }
}

function ownVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
