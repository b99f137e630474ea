import { hostname } from 'node:os'
import { faultsError } from '../errors.ts'
import { isMatch, isObject, isWhole, shown } from '../given.ts'
import { type Logger, silentLogger } from '../observe/logger.ts'
import { type Metrics, noMetrics } from '../observe/metrics.ts'
import { SPOOL_MAX_BYTES, type SpoolOptions } from '../publish/spool/spool.ts'
import { type Auth, parseServers } from './servers.ts'

/** What the mesh does about streams and consumers: makes them, only compares them, or trusts that they are there. */
export type TopologyMode = 'ensure' | 'verify' | 'none'

/** Paths of PEM files. They are read again at every reconnect, so that renewed certificates are taken up. */
export type TlsFiles = { caFile?: string; certFile?: string; keyFile?: string }

/** How a process connects. Give one way to authenticate at most; in `servers`, `nats://user:password@host` is one. */
export type MeshOptions = {
  /** `nats://host:port` or `tls://host:port`; several separated by commas, or a list. Env `NATS_URL`. */
  servers: string | string[]
  /** What the server's monitoring calls this connection. @default host name/process id */
  name?: string
  /** Keeps two environments on one server apart: a-z, 0-9 and -, 32 characters at most. Env `MALHA_NAMESPACE`. @default '' */
  namespace?: string
  /** A credentials file (JWT and seed), read at every connect. Env `NATS_CREDS_FILE`. */
  credsFile?: string
  /** A file with an nkey seed, read at every connect. Env `NATS_NKEY_SEED_FILE`. */
  nkeySeedFile?: string
  /** Env `NATS_TOKEN`. */
  token?: string
  /** With `password`. Env `NATS_USER`. */
  user?: string
  /** With `user`. Env `NATS_PASSWORD`. */
  password?: string
  /** Env `NATS_TLS_CA_FILE`, `NATS_TLS_CERT_FILE`, `NATS_TLS_KEY_FILE`. @default the system's authorities, when the server offers TLS */
  tls?: TlsFiles
  /** Where replies arrive; a user with least privilege may subscribe to his own only. Env `NATS_INBOX_PREFIX`. @default '_INBOX' */
  inboxPrefix?: string
  /** Env `MALHA_TOPOLOGY`. @default 'ensure' */
  topology?: TopologyMode
  /** Replicas of streams that do not say themselves. Unset: 1 for new ones, others are left as they are. Env `MALHA_REPLICAS`. */
  replicas?: 1 | 3 | 5
  /**
   * Where events wait while the broker is away: `publish` then resolves with `queued: true` as soon as they are on the disk,
   * and the process starts without a broker too. @default none: `publish` waits, and rejects
   */
  spool?: SpoolOptions
  /** pino's logger fits as it is. @default silent */
  logger?: Logger
  /** @default none */
  metrics?: Metrics
}

/** Options checked and filled in. `auth` holds secrets: never log it. */
export type ResolvedMeshOptions = {
  /** `nats://host:port`, without credentials. */
  readonly servers: readonly string[]
  readonly name: string
  readonly namespace: string
  readonly auth: Auth
  /** Undefined: TLS when the server offers it, with the system's authorities. */
  readonly tls: Readonly<TlsFiles> | undefined
  readonly inboxPrefix: string
  readonly topology: TopologyMode
  readonly replicas: number | undefined
  readonly spool: Readonly<Required<SpoolOptions>> | undefined
  readonly logger: Logger
  readonly metrics: Metrics
}

/** Environment variable of each option, so that a fault names what the reader can change. */
const VARIABLES = {
  servers: 'NATS_URL',
  name: 'MALHA_NAME',
  namespace: 'MALHA_NAMESPACE',
  credsFile: 'NATS_CREDS_FILE',
  nkeySeedFile: 'NATS_NKEY_SEED_FILE',
  token: 'NATS_TOKEN',
  user: 'NATS_USER',
  password: 'NATS_PASSWORD',
  'tls.caFile': 'NATS_TLS_CA_FILE',
  'tls.certFile': 'NATS_TLS_CERT_FILE',
  'tls.keyFile': 'NATS_TLS_KEY_FILE',
  inboxPrefix: 'NATS_INBOX_PREFIX',
  topology: 'MALHA_TOPOLOGY',
  replicas: 'MALHA_REPLICAS',
  'spool.file': 'MALHA_SPOOL_FILE',
  'spool.maxBytes': 'MALHA_SPOOL_MAX_BYTES',
} as const

type Setting = keyof typeof VARIABLES
type Label = (setting: Setting) => string

/**
 * Options from environment variables. Pure; files are read when connecting. An empty variable counts as unset.
 * @throws MeshError MESH_INVALID_OPTIONS with every fault, by variable
 */
export function meshOptions(env: Readonly<Record<string, string | undefined>>): MeshOptions {
  const values: Record<string, unknown> = {}
  const tls: Record<string, string> = {}
  const spool: Record<string, unknown> = {}
  for (const [setting, variable] of Object.entries(VARIABLES)) {
    const value = env[variable]
    if (value === undefined || value === '') continue
    if (setting.startsWith('tls.')) tls[setting.slice(4)] = value
    else if (setting.startsWith('spool.'))
      spool[setting.slice(6)] = setting === 'spool.maxBytes' ? Number(value) : value
    else values[setting] = setting === 'replicas' ? Number(value) : value
  }
  if (Object.keys(spool).length > 0) values['spool'] = spool
  if (Object.keys(tls).length > 0) values['tls'] = tls
  const options = { servers: '', ...values } as MeshOptions
  const { faults } = resolve(options, (setting) => VARIABLES[setting])
  if (faults.length > 0) throw faultsError('MESH_INVALID_OPTIONS', 'environment variables', faults)
  return options
}

/**
 * Checks options and fills in defaults. Pure.
 * @throws MeshError MESH_INVALID_OPTIONS with every fault; no value that could be a secret is repeated
 */
export function resolveMeshOptions(options: MeshOptions): ResolvedMeshOptions {
  const { resolved, faults } = resolve(options, (setting) => setting)
  if (faults.length > 0) throw faultsError('MESH_INVALID_OPTIONS', 'connection options', faults)
  return resolved
}

function resolve(given: MeshOptions, label: Label): { resolved: ResolvedMeshOptions; faults: string[] } {
  const options: MeshOptions = isObject(given) ? given : { servers: [] }
  const list = typeof options.servers === 'string' ? options.servers.split(',') : (options.servers ?? [])
  const texts: string[] = Array.isArray(list) ? list.filter((one) => typeof one === 'string') : []
  const trimmed = texts.map((server) => server.trim()).filter((server) => server !== '')
  const parsed = parseServers(trimmed, label('servers'))
  const { auth, faults } = resolveAuth(options, parsed.auth, label)
  if (!Array.isArray(list) || texts.length < list.length)
    faults.push(`${label('servers')} is neither an address nor a list of addresses`)
  const resolved: ResolvedMeshOptions = {
    servers: parsed.servers,
    name: options.name ?? `${hostname()}/${process.pid}`,
    namespace: options.namespace ?? '',
    auth,
    tls: options.tls ?? (parsed.tls ? {} : undefined),
    inboxPrefix: options.inboxPrefix ?? '_INBOX',
    topology: options.topology ?? 'ensure',
    replicas: options.replicas,
    spool: isObject(options.spool) ? { maxBytes: SPOOL_MAX_BYTES, ...options.spool } : options.spool,
    logger: options.logger ?? silentLogger,
    metrics: options.metrics ?? noMetrics,
  }
  return { resolved: Object.freeze(resolved), faults: [...parsed.faults, ...faults, ...valueFaults(resolved, label)] }
}

function resolveAuth(options: MeshOptions, fromUrl: Auth | undefined, label: Label): { auth: Auth; faults: string[] } {
  const faults: string[] = []
  const given: [string, Auth][] = []
  if (fromUrl) given.push([label('servers'), fromUrl])
  if (options.credsFile !== undefined) given.push([label('credsFile'), { kind: 'creds', file: options.credsFile }])
  if (options.nkeySeedFile !== undefined)
    given.push([label('nkeySeedFile'), { kind: 'nkey', seedFile: options.nkeySeedFile }])
  if (options.token !== undefined) given.push([label('token'), { kind: 'token', token: options.token }])
  const { user, password } = options
  if (user !== undefined && password !== undefined)
    given.push([`${label('user')} and ${label('password')}`, { kind: 'password', user, password }])
  else if (user !== undefined) faults.push(`${label('user')} is set but ${label('password')} is not`)
  else if (password !== undefined) faults.push(`${label('password')} is set but ${label('user')} is not`)
  for (const setting of ['credsFile', 'nkeySeedFile', 'token', 'user', 'password'] as const)
    // The value is not repeated: it may be a secret.
    if (options[setting] !== undefined && typeof options[setting] !== 'string')
      faults.push(`${label(setting)} is no text`)
  for (const setting of ['credsFile', 'nkeySeedFile'] as const)
    if (typeof options[setting] === 'string' && !isPath(options[setting]))
      faults.push(`${label(setting)} is no path of a file`)
  if (given.length > 1)
    faults.push(`credentials are given ${given.length} times: by ${given.map(([by]) => by).join(', by ')}; keep one`)
  return { auth: given[0]?.[1] ?? { kind: 'none' }, faults }
}

function valueFaults(options: ResolvedMeshOptions, label: Label): string[] {
  const faults: string[] = []
  const { name, namespace, tls, inboxPrefix, topology, replicas } = options
  if (!isMatch(name, /^[\x20-\x7e]{1,128}$/)) faults.push(`${label('name')} takes 1 to 128 printable ASCII characters`)
  if (!isMatch(namespace, /^[a-z0-9-]{0,32}$/))
    faults.push(`${label('namespace')} is ${shown(namespace)}; it takes a-z, 0-9 and -, 32 characters at most`)
  if (tls !== undefined && !isObject(tls)) faults.push(`tls is ${shown(tls)}; { caFile, certFile, keyFile }`)
  for (const file of ['caFile', 'certFile', 'keyFile'] as const)
    if (!isPath(tls?.[file])) faults.push(`${label(`tls.${file}`)} is no path of a file`)
  if ((tls?.certFile === undefined) !== (tls?.keyFile === undefined))
    faults.push(`${label('tls.certFile')} and ${label('tls.keyFile')} go together; one of them is missing`)
  if (!isMatch(inboxPrefix, /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/))
    faults.push(
      `${label('inboxPrefix')} is ${shown(inboxPrefix)}; it takes tokens of letters, digits, _ and - joined by dots`,
    )
  if (!['ensure', 'verify', 'none'].includes(topology))
    faults.push(`${label('topology')} is ${shown(topology)}; it is ensure, verify or none`)
  if (replicas !== undefined && ![1, 3, 5].includes(replicas))
    faults.push(`${label('replicas')} is ${shown(replicas)}; it is 1, 3 or 5`)
  faults.push(...spoolFaults(options, label))
  if (!hasMethods(options.logger, ['debug', 'info', 'warn', 'error']))
    faults.push('logger has not debug, info, warn and error')
  if (!hasMethods(options.metrics, ['counter', 'gauge', 'histogram']))
    faults.push('metrics has not counter, gauge and histogram')
  return faults
}

const isPath = (file: unknown): boolean =>
  file === undefined || (typeof file === 'string' && file !== '' && !file.includes('\0'))

const hasMethods = (port: unknown, methods: readonly string[]): boolean =>
  isObject(port) && methods.every((method) => typeof port[method] === 'function')

/** Less than this holds no event of the usual size with its headers. */
const MIN_SPOOL_BYTES = 65_536

function spoolFaults({ spool }: ResolvedMeshOptions, label: Label): string[] {
  if (spool === undefined) return []
  if (!isObject(spool)) return [`spool is ${shown(spool)}; { file, maxBytes }`]
  const faults: string[] = []
  if (typeof spool.file !== 'string' || spool.file === '')
    faults.push(`${label('spool.file')} is missing; a path on a local disk, one for each process`)
  else if (spool.file.includes('\0')) faults.push(`${label('spool.file')} is no path: it holds a NUL character`)
  if (!isWhole(spool.maxBytes, MIN_SPOOL_BYTES))
    faults.push(
      `${label('spool.maxBytes')} is ${shown(spool.maxBytes)}; a whole number of bytes, at least ${MIN_SPOOL_BYTES}`,
    )
  return faults
}
