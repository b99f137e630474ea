import { hostname, userInfo } from 'node:os'
import { connectMesh, type Mesh, MeshError, type MeshOptions, meshOptions } from '@malha/mesh'
import { type Command, Option } from 'commander'
import { CliError } from '../cli-error.ts'
import { readContext } from './context.ts'

/** Where the mesh is that a command looks at. */
export type ConnectOptions = {
  server?: string | undefined
  creds?: string | undefined
  namespace?: string | undefined
  /** Not to be forgotten: whoever leaves it out is connected elsewhere than he said. */
  context: string | undefined
}

/** Adds `--server`, `--creds`, `--namespace` and `--context`; what they leave open the environment says, as it does for a service. */
export function withConnection(command: Command): Command {
  return withContext(command)
    .option('--server <urls>', 'NATS servers, separated by commas; default NATS_URL, or nats://127.0.0.1:4222')
    .option('--creds <file>', 'credentials file; default NATS_CREDS_FILE')
    .option('--namespace <name>', 'of the mesh; default MALHA_NAMESPACE, or none')
}

/** For commands that do not connect to NATS, but to what a context names beside it. */
export function withContext(command: Command): Command {
  return command.option('--context <name>', 'a named connection (malha context list); default MALHA_CONTEXT')
}

/** The options of a command, apart from those of the connection. */
export function apart<Options extends ConnectOptions>({
  server,
  creds,
  namespace,
  context,
  ...rest
}: Options): { connection: ConnectOptions; rest: Omit<Options, keyof ConnectOptions> } {
  return { connection: { server, creds, namespace, context }, rest }
}

/** Adds `--who` and `--reason`: what is done is written down with them. */
export function asActor(command: Command): Command {
  const who = new Option('--who <name>', 'who does it, for those who look later')
  return command
    .addOption(who.default(process.env['MALHA_WHO'] || `${userName()}@${hostname()}`, 'MALHA_WHO, or user@host'))
    .option('--reason <text>', 'why')
}

/** A container's user may have a number alone. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    return String(process.getuid?.() ?? 'somebody')
  }
}

/**
 * Environment variables as the connection options and the context leave them. A context stands for all that the environment
 * says of a connection, so that the credentials of one are never tried on the server of the other.
 * @throws CliError CLI_INVALID_OPTION
 */
export async function connectionEnv({ server, creds, namespace, context }: ConnectOptions): Promise<NodeJS.ProcessEnv> {
  const name = context ?? (process.env['MALHA_CONTEXT'] || undefined)
  const named = name === undefined ? undefined : await readContext(name, process.env)
  const own = Object.entries(process.env).filter(([variable]) => !named || !variable.startsWith('NATS_'))
  const base: NodeJS.ProcessEnv = { NATS_URL: 'nats://127.0.0.1:4222', ...Object.fromEntries(own), ...named }
  // One way to say who you are: a file that is given stands for what there was.
  if (creds) for (const variable of SECRETS) delete base[variable]
  return {
    ...base,
    ...(server && { NATS_URL: server }),
    ...(creds && { NATS_CREDS_FILE: creds }),
    ...(namespace !== undefined && { MALHA_NAMESPACE: namespace }),
  }
}

/** `host:port` of the servers that the connection is given, without credentials. */
export async function serversOf(connection: ConnectOptions): Promise<string[]> {
  const urls = (await connectionEnv(connection))['NATS_URL'] ?? ''
  return urls.split(',').flatMap((url) => {
    const { hostname, port } = URL.parse(url.trim().replace(/^(?!\w+:\/\/)/, 'nats://')) ?? {}
    return hostname ? [`${hostname}:${port || '4222'}`] : []
  })
}

/** ClickHouse of the archive: as given, of the context, or of the environment; undefined where nobody says. */
export async function clickhouseUrl(connection: ConnectOptions, given?: string): Promise<string | undefined> {
  return given ?? ((await connectionEnv(connection))['CLICKHOUSE_URL'] || undefined)
}

const SECRETS = ['NATS_NKEY_SEED_FILE', 'NATS_TOKEN', 'NATS_USER', 'NATS_PASSWORD']

/**
 * Connects as an onlooker, for whom no stream is made or changed, or as one who acts.
 * @throws MeshError as `connectMesh` does; CliError CLI_INVALID_OPTION: no such context
 */
export async function connectToMesh(
  connection: ConnectOptions,
  { acts = false, ...observed }: { acts?: boolean } & Pick<MeshOptions, 'logger' | 'metrics'> = {},
): Promise<Mesh> {
  const env = await connectionEnv(connection)
  // A spool belongs to the service that runs with it.
  const { spool: _, ...settings } = optionsFrom(env, connection)
  return await connectMesh({
    ...settings,
    ...observed,
    name: `malha/${process.pid}`,
    ...(!acts && { topology: 'none' }),
  })
}

/** A fault of a context is named as the context's: its reader has set no variable. */
function optionsFrom(env: NodeJS.ProcessEnv, { context }: ConnectOptions): ReturnType<typeof meshOptions> {
  try {
    return meshOptions(env)
  } catch (error) {
    if (context === undefined || !(error instanceof MeshError)) throw error
    throw new CliError('CLI_INVALID_OPTION', `context ${context}: ${error.message}`, { cause: error })
  }
}
