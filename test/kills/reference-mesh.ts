import { mkdtemp, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  type ClickHouseServer,
  freePorts,
  type NatsServer,
  startClickHouse,
  startNats,
  type Supervised,
  superviseProcess,
} from '@malha/stack'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import type { PartnerAddress } from './kill-switch.ts'
import { type Killable, killable } from './killable.ts'

export const partnerNames = ['senninha', 'maas', 'dmitri'] as const
export type PartnerName = (typeof partnerNames)[number]
export const serviceNames = ['distribution-center', 'provider', 'city-registration', 'archive'] as const
export type ServiceName = (typeof serviceNames)[number]

/** A server a test may kill: its ports and its data stay. */
export interface Backend<Server> extends AsyncDisposable {
  /** The one that runs now, or ran last. */
  readonly server: Server
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
  /** Starts it again when it has ended, however that came. */
  restart(): Promise<void>
}

export type ReferenceMeshOptions = {
  /** How long each partner takes to answer, ms. */
  latencyMs?: number
  /** Which services run. @default all */
  services?: readonly ServiceName[]
  /** Whether ClickHouse runs at the start. @default when the archive does */
  clickhouse?: boolean
  /** In the environment of every service. */
  env?: Record<string, string>
  /** Where `nats-server` is looked for. @default the environment of this process */
  natsEnv?: NodeJS.ProcessEnv
}

/** NATS, ClickHouse, the partner simulators, the services and the archive as they are shipped, each a process. */
export interface ReferenceMesh extends AsyncDisposable {
  readonly api: string
  readonly nats: Backend<NatsServer>
  readonly clickhouse: Backend<ClickHouseServer | undefined>
  readonly clickhouseUrl: string
  /** A connection outside of the mesh, to look at everything. */
  readonly watch: NatsConnection
  readonly services: ReadonlyMap<ServiceName, Supervised>
  readonly killable: ReadonlyMap<ServiceName, Killable>
  partner(name: PartnerName): PartnerAddress
  /** Where a service answers `/readyz`. */
  healthUrl(name: ServiceName): string
  /** Everything the processes wrote so far. */
  readonly output: readonly string[]
}

const mainOf = (folder: string): string =>
  fileURLToPath(new URL(`../../packages/${folder}/src/main.ts`, import.meta.url))
const at = (port: number): string => `http://127.0.0.1:${port}`
const PORTS = ['nats', 'monitor', 'clickhouse', 'api', ...partnerNames, ...partnerNames.map(control), ...serviceNames]

export async function referenceMesh(options: ReferenceMeshOptions = {}): Promise<ReferenceMesh> {
  const { services: wanted = serviceNames, latencyMs } = options
  await using opened = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'malha-kills-'))
  opened.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const free = await freePorts(PORTS.length)
  const port = (name: string): number => free[PORTS.indexOf(name)]!
  const output: string[] = []
  const inherited = pick(process.env, ['PATH', 'HOME', 'MALHA_CACHE', 'XDG_CACHE_HOME'])
  // As `malha up` does: a process that is started again should not compile everything again.
  const cache = inherited['MALHA_CACHE'] ?? join(inherited['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'malha')
  const compiled = join(cache, 'compiled')

  function supervise(name: string, main: string, about: { env: Record<string, string>; readyUrl: string }): Supervised {
    return superviseProcess({
      name,
      command: process.execPath,
      args: [main],
      env: { ...inherited, NODE_COMPILE_CACHE: compiled, ...about.env },
      readyUrl: about.readyUrl,
      longestPauseMs: 250,
      onLine: (line) => output.push(`${name} ${line}`),
    })
  }

  const natsOptions = {
    dataDir: join(folder, 'nats'),
    port: port('nats'),
    monitorPort: port('monitor'),
    maxStoreBytes: 1024 ** 4,
    onLine: (line: string) => output.push(`nats ${line}`),
    ...(options.natsEnv && { env: options.natsEnv }),
  }
  // Killed on purpose, so never one that somebody else runs.
  const { CLICKHOUSE_URL: _, ...ownEnv } = process.env
  const clickhouseOptions = { dataDir: join(folder, 'clickhouse'), port: port('clickhouse'), env: ownEnv }
  const runsClickhouse = options.clickhouse ?? wanted.includes('archive')
  const [nats, clickhouse] = await Promise.all([
    backend(() => startNats(natsOptions), true),
    backend(() => startClickHouse(clickhouseOptions), runsClickhouse),
  ])
  opened.use(nats)
  opened.use(clickhouse)

  for (const name of partnerNames) {
    const env = {
      PARTNER: name,
      HTTP_PORT: String(port(name)),
      CONTROL_PORT: String(port(control(name))),
      DATA_DIR: join(folder, 'partners'),
      ...(latencyMs === undefined ? {} : { LATENCY_MS: String(latencyMs) }),
    }
    const readyUrl = `${at(port(control(name)))}/_fault`
    opened.use(supervise(name, mainOf('services/partner-simulator'), { env, readyUrl }))
  }

  const services = new Map<ServiceName, Supervised>()
  const switches = new Map<ServiceName, Killable>()
  for (const name of wanted) {
    const doomed = killable(name, folder)
    const env = {
      NATS_URL: `nats://127.0.0.1:${port('nats')}`,
      HEALTH_PORT: String(port(name)),
      HTTP_PORT: String(port('api')),
      CLICKHOUSE_URL: at(port('clickhouse')),
      ...Object.fromEntries(partnerNames.map((partner) => [`${partner.toUpperCase()}_URL`, at(port(partner))])),
      ...doomed.env,
      ...options.env,
    }
    const main = mainOf(name === 'archive' ? name : `services/${name}`)
    services.set(name, opened.use(supervise(name, main, { env, readyUrl: `${at(port(name))}/readyz` })))
    switches.set(name, doomed)
  }
  const mustBeReady = [...services].filter(([name]) => name !== 'archive' || runsClickhouse)
  await Promise.all(mustBeReady.map(([, service]) => service.whenReady({ timeoutMs: 60_000 })))
  const watch = await connect({ servers: nats.server!.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 })
  opened.defer(() => watch.close())
  const all = opened.move()
  return {
    api: at(port('api')),
    nats: nats as Backend<NatsServer>,
    clickhouse,
    clickhouseUrl: at(port('clickhouse')),
    watch,
    services,
    killable: switches,
    partner: (name) => ({ api: at(port(name)), control: at(port(control(name))) }),
    healthUrl: (name) => at(port(name)),
    output,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

type Server = { readonly exited: Promise<unknown>; kill(): void; stop(): Promise<void> }

async function backend<T extends Server>(start: () => Promise<T>, now: boolean): Promise<Backend<T | undefined>> {
  let server = now ? await start() : undefined
  return {
    get server() {
      return server
    },
    async kill() {
      server?.kill()
      await server?.exited
    },
    async restart() {
      await server?.exited
      server = await start()
    },
    async [Symbol.asyncDispose]() {
      await server?.stop()
    },
  }
}

function control(name: string): string {
  return `${name} control`
}

function pick(env: NodeJS.ProcessEnv, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])))
}
