import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deployment } from '@malha/deploy'
import type { Mesh, MeshOptions } from '@malha/mesh'
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
import { deploymentUsers } from '../deploy/users.ts'
import { type Backend, backend } from '../reference/backend.ts'
import {
  inheritedEnv,
  mainOf,
  partnerEnv,
  type PartnerName,
  partnerNames,
  partnerUrls,
  type ServiceName,
  serviceNames,
} from '../reference/processes.ts'
import type { PartnerAddress } from './kill-switch.ts'
import { type Killable, killable } from './killable.ts'

export type ReferenceMeshOptions = {
  /** How long each partner takes to answer, ms. */
  latencyMs?: number
  /** Which services run. @default all */
  services?: readonly ServiceName[]
  /** Whether ClickHouse runs at the start. @default when the archive does */
  clickhouse?: boolean
  /** In the environment of a service. */
  env?: Partial<Record<ServiceName, Record<string, string>>>
  /** Where `nats-server` is looked for. @default the environment of this process */
  natsEnv?: NodeJS.ProcessEnv
}

/**
 * NATS, ClickHouse, the partner simulators, the services and the archive as they are shipped, each a process, and each with
 * the rights on the broker that are generated for it. Disposing it throws what the broker refused meanwhile.
 */
export interface ReferenceMesh extends AsyncDisposable {
  readonly api: string
  readonly nats: Backend<NatsServer>
  readonly clickhouse: Backend<ClickHouseServer | undefined>
  readonly clickhouseUrl: string
  /** A connection outside of the mesh, to look at everything. */
  readonly watch: NatsConnection
  /** Environment of another process, as a user. */
  as(user: string): Record<string, string>
  /** A mesh of a user in this process, closed with this one. */
  connect(user: string, options?: Partial<MeshOptions>): Promise<Mesh>
  readonly services: ReadonlyMap<ServiceName, Supervised>
  readonly killable: ReadonlyMap<ServiceName, Killable>
  partner(name: PartnerName): PartnerAddress
  /** Where a service answers `/readyz`. */
  healthUrl(name: ServiceName): string
  /** Everything the processes wrote so far. */
  readonly output: readonly string[]
}

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
  const users = opened.use(await deploymentUsers(deployment))
  const inherited = inheritedEnv()

  function supervise(name: string, main: string, about: { env: Record<string, string>; readyUrl: string }): Supervised {
    return superviseProcess({
      name,
      command: process.execPath,
      args: [main],
      env: { ...inherited, ...about.env },
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
    config: users.config,
    onLine(line: string) {
      output.push(`nats ${line}`)
      users.onLine(line)
    },
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
  await users.prepare(nats.server!.url)

  for (const name of partnerNames) {
    const env = {
      ...partnerEnv(name, { port: port(name), controlPort: port(control(name)), dataDir: join(folder, 'partners') }),
      ...(latencyMs === undefined ? {} : { LATENCY_MS: String(latencyMs) }),
    }
    const readyUrl = `${at(port(control(name)))}/_fault`
    opened.use(supervise(name, mainOf('partner-simulator'), { env, readyUrl }))
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
      ...partnerUrls((partner) => at(port(partner))),
      ...doomed.env,
      ...users.as(name),
      ...options.env?.[name],
    }
    services.set(name, opened.use(supervise(name, mainOf(name), { env, readyUrl: `${at(port(name))}/readyz` })))
    switches.set(name, doomed)
  }
  const mustBeReady = [...services].filter(([name]) => name !== 'archive' || runsClickhouse)
  await Promise.all(mustBeReady.map(([, service]) => service.whenReady({ timeoutMs: 60_000 })))
  const watch = await connect({
    servers: nats.server!.url,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
    authenticator: users.authenticatorOf('admin'),
  })
  opened.defer(() => watch.close())
  const all = opened.move()
  return {
    api: at(port('api')),
    nats: nats as Backend<NatsServer>,
    clickhouse,
    clickhouseUrl: at(port('clickhouse')),
    watch,
    as: (user) => ({ NATS_URL: nats.server!.url, ...users.as(user) }),
    connect: async (user, more) => all.use(await users.mesh(user, nats.server!.url, more)),
    services,
    killable: switches,
    partner: (name) => ({ api: at(port(name)), control: at(port(control(name))) }),
    healthUrl: (name) => at(port(name)),
    output,
    async [Symbol.asyncDispose]() {
      await all.disposeAsync()
      users.assertNoneRefused()
    },
  }
}

function control(name: string): string {
  return `${name} control`
}
