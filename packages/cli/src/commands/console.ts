import { type ConsoleOptions, newToken, oidcFrom, type Role, startConsole } from '@malha/console'
import { Argument, type Command, InvalidArgumentError, Option } from 'commander'
import { clickhouseAt } from '../connection/archive-option.ts'
import {
  apart,
  clickhouseUrl,
  type ConnectOptions,
  connectToMesh,
  withConnection,
} from '../connection/connect-options.ts'
import { indexFileOf } from '../connection/open-indexed.ts'
import { listenForStop } from '../system/stop-request.ts'
import { print } from '../view/print.ts'
import { say } from '../view/say.ts'

type Options = ConnectOptions &
  Pick<ConsoleOptions, 'host' | 'port' | 'role' | 'tokenFile' | 'origin'> & {
    sendEvents?: true
    who?: string
    clickhouse?: string
    jaeger?: string
    json?: true
  }

const ROLES = ['viewer', 'operator', 'admin'] as const satisfies readonly Role[]

/** `malha console`: the web console. */
export function register(program: Command): void {
  const command = withConnection(program.command('console'))
    .description('serve the web console of a mesh, until Ctrl-C: dead letters, runs, the archive')
    .option('--host <address>', 'where to listen; elsewhere than on this machine people must sign in', '127.0.0.1')
    .option('--port <port>', 'its port; 0 takes a free one', portOrFree, 8090)
    .addOption(new Option('--role <role>', 'what everybody on this machine may do; default viewer').choices(ROLES))
    .option('--token-file <file>', 'who may sign in, as what: lines that "malha console token" makes')
    .option('--origin <url>', 'the address people open, where a proxy is in between')
    .option('--clickhouse <url>', 'of the archive; default CLICKHOUSE_URL, or http://127.0.0.1:8123')
    .option('--jaeger <url>', 'where people look at traces; JAEGER_URL', process.env['JAEGER_URL'] || undefined)
    .option(
      '--who <name>',
      'who acts, for those who look later; default MALHA_WHO, or the user and the machine',
      process.env['MALHA_WHO'] || undefined,
    )
    .option('--send-events', 'operators may send events by hand; leave it off in production')
    .option('--json', 'one JSON value when it serves: { url }')
    .addHelpText(
      'after',
      `
People sign in with tokens (--token-file), by OpenID Connect (CONSOLE_OIDC_ISSUER and the variables beside it), or not at all.

Examples:
  malha console                                   # look, at http://127.0.0.1:8090
  malha console --role operator                   # and send letters again
  malha console token on-call operator >> tokens      # a line for --token-file; the token is said on stderr
  malha console --host 0.0.0.0 --token-file tokens --origin https://console.example.org
Exit codes: 0 after Ctrl-C, 1 an error.`,
    )
  command.action(serve)
  command
    .command('token')
    .description('make a token: its line for a token file on stdout, the token itself on stderr, once')
    .argument('<name>', 'whose it is; what he does is written down with it')
    .addArgument(new Argument('<role>', 'what he may do').choices(ROLES))
    .addHelpText(
      'after',
      `
Examples:
  malha console token on-call operator >> tokens
Exit codes: 0 done, 1 an error.`,
    )
    .action((name: string, role: Role) => {
      const { token, line } = newToken(name, role)
      print(line)
      say(`the token of ${name}, which is nowhere else: ${token}`)
    })
}

async function serve(given: Options): Promise<void> {
  const { connection, rest } = apart(given)
  const { clickhouse, jaeger, json, sendEvents = false, ...options } = rest
  using stop = listenForStop()
  const oidc = oidcFrom(process.env)
  const acts = options.tokenFile !== undefined || oidc !== undefined || (options.role ?? 'viewer') !== 'viewer'
  await using mesh = await connectToMesh(connection, { acts })
  await using console = await startConsole({
    ...options,
    oidc,
    mesh,
    indexFile: indexFileOf(mesh),
    clickhouse: clickhouseAt((await clickhouseUrl(connection, clickhouse)) ?? 'http://127.0.0.1:8123'),
    jaegerUrl: jaeger,
    sendsEvents: sendEvents,
  })
  if (json) print(JSON.stringify({ url: console.url }))
  else print(console.url)
  say(
    acts
      ? 'Ctrl-C ends it; a run that it works on stays where it is'
      : 'read-only; --role operator may act. Ctrl-C ends it',
  )
  await stop.asked
}

function portOrFree(text: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new InvalidArgumentError('a port is 0 to 65535')
  return port
}
