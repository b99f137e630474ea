/**
 * Named connections: the contexts of the `nats` command, which people on call have already, and files of the same form in a
 * folder of malha's own, which may also say a namespace and a ClickHouse.
 * Source of names and fields: github.com/nats-io/jsm.go, natscontext.
 */
import { readdir, readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { CliError } from '../cli-error.ts'

type Env = Readonly<Record<string, string | undefined>>

/** A connection as environment variables say one. Holds secrets: never print it. */
export type ContextSettings = Record<string, string>

/** A context without its secrets. */
export type ListedContext = {
  readonly name: string
  readonly file: string
  readonly description: string
  readonly servers: string
  /** How it says who it is, in words. */
  readonly by: string
  readonly namespace: string | null
  /** Why it cannot be used; null when it can. */
  readonly fault: string | null
}

/** Each variable, by the field of a context. */
const VARIABLES: Readonly<Record<string, string>> = {
  url: 'NATS_URL',
  creds: 'NATS_CREDS_FILE',
  nkey: 'NATS_NKEY_SEED_FILE',
  token: 'NATS_TOKEN',
  user: 'NATS_USER',
  password: 'NATS_PASSWORD',
  ca: 'NATS_TLS_CA_FILE',
  cert: 'NATS_TLS_CERT_FILE',
  key: 'NATS_TLS_KEY_FILE',
  inbox_prefix: 'NATS_INBOX_PREFIX',
  namespace: 'MALHA_NAMESPACE',
  clickhouse: 'CLICKHOUSE_URL',
}
const FILES = ['creds', 'nkey', 'ca', 'cert', 'key']
/** Say nothing of how to connect. */
const IGNORED = ['description', 'color_scheme']
const DEFAULT_URL = 'nats://127.0.0.1:4222'

/**
 * The settings of a context.
 * @throws CliError CLI_INVALID_OPTION: there is none of that name, or it says what malha cannot do
 */
export async function readContext(name: string, env: Env): Promise<ContextSettings> {
  if (!/^[^/\\\0]+$/.test(name) || name.startsWith('.'))
    throw new CliError('CLI_INVALID_OPTION', `context ${JSON.stringify(name)}: that is no name of a context`)
  for (const folder of foldersOf(env)) {
    const file = join(folder, `${name}.json`)
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      if (isMissing(error)) return undefined
      throw new CliError('CLI_INVALID_OPTION', `context ${name} (${file}) cannot be read`, { cause: error })
    })
    if (text === undefined) continue
    const { settings, faults } = settingsOf(text, env)
    if (faults.length === 0) return settings
    throw new CliError('CLI_INVALID_OPTION', `context ${name} (${file}): ${faults.join('; ')}`)
  }
  const known = (await listContexts(env)).map((one) => one.name)
  throw new CliError(
    'CLI_INVALID_OPTION',
    `there is no context ${JSON.stringify(name)}; there ${known.length > 0 ? `are ${known.join(', ')}` : 'is none'} (malha context list)`,
  )
}

/** All there are, by name; of two of one name malha's own. Nothing secret is in it. */
export async function listContexts(env: Env): Promise<ListedContext[]> {
  const found = new Map<string, ListedContext>()
  for (const folder of foldersOf(env)) {
    const files = await readdir(folder).catch(() => [])
    for (const entry of files.filter((one) => one.endsWith('.json'))) {
      const name = entry.slice(0, -'.json'.length)
      const file = join(folder, entry)
      if (!found.has(name)) found.set(name, await listed(name, file, env))
    }
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

function foldersOf(env: Env): string[] {
  const config = env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config')
  return [join(config, 'malha', 'context'), join(config, 'nats', 'context')]
}

async function listed(name: string, file: string, env: Env): Promise<ListedContext> {
  const text = await readFile(file, 'utf8').catch(() => '')
  const { settings, faults, description } = settingsOf(text, env)
  return {
    name,
    file,
    description,
    servers: (settings['NATS_URL'] ?? '').replaceAll(/\/\/[^/@,]*@/g, '//'),
    by: whoOf(settings),
    namespace: settings['MALHA_NAMESPACE'] ?? null,
    fault: faults.length > 0 ? faults.join('; ') : null,
  }
}

function whoOf(settings: ContextSettings): string {
  if (settings['NATS_CREDS_FILE']) return `credentials ${settings['NATS_CREDS_FILE']}`
  if (settings['NATS_NKEY_SEED_FILE']) return `nkey ${settings['NATS_NKEY_SEED_FILE']}`
  if (settings['NATS_USER']) return `user ${settings['NATS_USER']}`
  if (settings['NATS_TOKEN']) return 'a token'
  if (/\/\/[^/@,]*@/.test(settings['NATS_URL'] ?? '')) return 'its address'
  return settings['NATS_TLS_CERT_FILE'] ? `certificate ${settings['NATS_TLS_CERT_FILE']}` : 'nobody'
}

/** What a file says, and what is wrong with it. No value is repeated: it may be a secret. */
function settingsOf(text: string, env: Env): { settings: ContextSettings; faults: string[]; description: string } {
  const context = parsed(text)
  if (context === undefined) return { settings: {}, faults: ['it is no JSON object'], description: '' }
  const settings: ContextSettings = {}
  const faults: string[] = []
  for (const [field, value] of Object.entries(context)) {
    if (IGNORED.includes(field) || isUnset(value)) continue
    const variable = VARIABLES[field]
    if (variable === undefined)
      faults.push(`malha does not know what ${field} says; leave it out in a context of its own`)
    else if (typeof value !== 'string') faults.push(`${field} is no text`)
    else settings[variable] = FILES.includes(field) ? atHome(value, env) : value
  }
  settings['NATS_URL'] ??= DEFAULT_URL
  const { description } = context
  return { settings, faults, description: typeof description === 'string' ? description : '' }
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}

/** As the nats command writes what nobody set. */
const isUnset = (value: unknown): boolean => value === '' || value === false || value === null || value === 0

const atHome = (path: string, env: Env): string =>
  path === '~' || path.startsWith('~/') ? join(env['HOME'] || homedir(), path.slice(1)) : path

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
