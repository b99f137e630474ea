import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePorts, type NatsCluster, startClickHouse, startNatsCluster } from '@malha/stack'
import { openOperations } from '@malha/operations'
import { eventually } from '@malha/testing'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { openRecorder, recorderEnv } from '../chaos/history/recorder.ts'
import { operationsFolder } from '../chaos/history/saved-run.ts'
import { logFiles } from '../chaos/system/log-files.ts'
import type { Release } from '../chaos/system/previous-release.ts'
import { at } from '../chaos/system/site.ts'
import { deploymentWithLoad } from '../chaos/workload/deployment.ts'
import { type DeploymentUsers, deploymentUsers } from '../deploy/users.ts'
import { inheritedEnv, mainOf, serviceNames } from '../reference/processes.ts'
import { type Clients, startClients } from './clients.ts'
import { endpoints } from './endpoints.ts'
import { type Outside, startOutside } from './outside.ts'
import { startPod } from './pod.ts'
import { readinessProbe, type Unready } from './readiness.ts'
import { served } from './served.ts'
import { type Strategy, strategyOf } from './strategy.ts'
import { type ReleaseName, type Workload, workload } from './workload.ts'

export type StartOptions = {
  /** Data, logs, and what is written down. */
  folder: string
  releases: Record<ReleaseName, Release>
  /** By what the times of the manifests are multiplied; 1 is as they are. */
  scale: number
  /** In lame duck mode a server closes no connection for so long. */
  lameDuckGraceMs: number
  /** Centres a second. */
  centers: number
  /** Other events a second. */
  events: number
  /** How long a partner takes to answer, ms. @default as it is shipped */
  partnerLatencyMs?: number
  /** How long it takes until the load balancer knows that a pod leaves, ms. @default 2000, scaled */
  newsMs?: number
  /** Further modules that the pods of a workload load first, and what these find in their environment. */
  spoil?: { workload: string; modules: readonly string[]; env?: Readonly<Record<string, string>> }
}

/**
 * A mesh that can be rolled: three brokers, ClickHouse, partners, and every workload twice, each with the rights on the
 * broker that are generated for it.
 */
export interface RollingMesh extends AsyncDisposable, Pick<Outside, 'partnerLedger' | 'repeatedCalls'> {
  readonly beganAt: number
  readonly brokers: NatsCluster
  /** Of an operator. */
  readonly nats: NatsConnection
  readonly clickhouseUrl: string
  readonly workloads: readonly Workload[]
  readonly clients: Clients
  /** Of pods that take requests. */
  readonly unready: readonly Unready[]
  /** What a server refused, a line each. */
  readonly refusals: readonly string[]
  readonly stagesFolder: string
  /** What an operator does before a server is stopped. */
  handOver(server: string): Promise<void>
  /** Ends the load; resolves when all that was published has its answer. */
  endLoad(): Promise<void>
}

const REPLICAS = 2
/** Of the assumption in `endpoints.ts`, before it is scaled: less than the preStop of the manifests. */
const NEWS_MS = 2000
const MAX_STORE_BYTES = 1024 ** 4
/** Processes of the service `load`, whose user they are. */
const WORKER = 'load-worker'
const RECORDER = fileURLToPath(new URL('recorder.ts', import.meta.url))

export async function startRollingMesh(options: StartOptions): Promise<RollingMesh> {
  const { folder, releases, scale, spoil } = options
  await using opened = new AsyncDisposableStack()
  const began = { ns: process.hrtime.bigint(), at: Date.now() }
  const operations = operationsFolder(folder)
  const stagesFolder = join(folder, 'stages')
  const logs = join(folder, 'logs')
  await mkdir(stagesFolder, { recursive: true })
  await mkdir(logs, { recursive: true })
  const onLine = logFiles(logs)
  const recording = (name: string): Record<string, string> =>
    recorderEnv({ process: name, file: join(operations, `${name}.jsonl`), beganNs: began.ns })

  // The worker has to ask whether it may bring what others delay: it may not.
  const users = opened.use(await deploymentUsers(deploymentWithLoad({ workerBrings: false })))
  const brokers = opened.use(await startBrokers(options, { onLine, users }))
  await eventually(() => users.prepare(brokers.url, { replicas: 3 }), { timeoutMs: 60_000 })
  // Rolled with nobody else's: never one that somebody else runs.
  const { CLICKHOUSE_URL: _, ...ownEnv } = process.env
  const clickhouse = opened.use(await startClickHouse({ dataDir: join(folder, 'clickhouse'), env: ownEnv }))
  const { partnerLatencyMs } = options
  const outside = opened.use(await startOutside({ folder, partnerLatencyMs, recording: recording('ledger'), onLine }))

  const unready: Unready[] = []
  // Quicker, and no less patient with each answer.
  const asked = readinessProbe()
  const probe = { ...asked, periodMs: asked.periodMs * scale }
  const front = opened.use(endpoints({ newsMs: options.newsMs ?? NEWS_MS * scale }))
  const mesh = { NATS_URL: brokers.url, MALHA_REPLICAS: '3', LOG_LEVEL: 'info' }
  const start = async (name: string): Promise<Workload> => {
    // As many as it has pods, over the whole roll: one in place of another keeps the other's.
    const ports = await freePorts(4 * REPLICAS)
    const portsOf = (slot: number): [health: number, http: number] => [ports[2 * slot]!, ports[2 * slot + 1]!]
    const strategy = scaled(strategyOf(name === WORKER ? 'provider' : name), scale)
    return workload({
      name,
      strategy,
      replicas: REPLICAS,
      start: ({ name: pod, slot, release }) => {
        const [health, http] = portsOf(slot)
        return startPod({
          name: pod,
          main: name === WORKER ? workerOf(releases[release]) : mainOf(name as never, releases[release].root),
          env: {
            ...inheritedEnv(),
            ...mesh,
            ...users.as(name === WORKER ? 'load' : name),
            HEALTH_PORT: String(health),
            HTTP_PORT: String(http),
            ROLL_STAGES: join(stagesFolder, `${pod}.jsonl`),
            ROLL_PROCESS: pod,
            NODE_OPTIONS: [RECORDER, ...(spoil?.workload === name ? spoil.modules : [])]
              .map((module) => `--import=${module}`)
              .join(' '),
            ...(spoil?.workload === name && spoil.env),
            ...(name === 'archive' && { CLICKHOUSE_URL: clickhouse.url }),
            ...(name === 'distribution-center' && { MALHA_SPOOL_FILE: join(folder, `spool-${slot}.db`) }),
            ...(name === WORKER && { ...recording(pod), LEDGER_URL: outside.ledgerUrl }),
            ...outside.partnerUrls,
          },
          readyUrl: `${at(health)}/readyz`,
          onLine: onLine(pod),
        })
      },
      ...(name === 'distribution-center' &&
        served(front, {
          urlsOf: (slot) => portsOf(slot).map(at) as [string, string],
          probe,
          onUnready: (pod, why) => unready.push({ pod, why }),
        })),
    })
  }
  const workloads: Workload[] = []
  for (const name of [...serviceNames, WORKER]) workloads.push(opened.use(await start(name)))
  await Promise.all(workloads.map((one) => one.begin()))

  const [health] = (await freePorts(1)) as [number]
  const publisher = startPod({
    name: 'load-publisher',
    main: fileURLToPath(new URL('../chaos/workload/publisher.ts', import.meta.url)),
    env: {
      ...inheritedEnv(),
      ...mesh,
      ...users.as('load-publisher'),
      ...recording('load-publisher'),
      HEALTH_PORT: String(health),
      KIND: 'plain',
      RATE: String(options.events),
    },
    readyUrl: `${at(health)}/readyz`,
    onLine: onLine('load-publisher'),
  })
  opened.defer(() => publisher.stop())
  await publisher.ready()
  const recorder = openRecorder({
    process: 'api-clients',
    file: join(operations, 'api-clients.jsonl'),
    beganNs: began.ns,
  })
  const clients = startClients(front, { rate: options.centers, recorder })
  opened.defer(() => clients.stop())
  const nats = await connect({
    servers: brokers.url.split(','),
    authenticator: users.authenticatorOf('admin'),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
  })
  opened.defer(() => nats.close())
  const operator = opened.use(await users.mesh('admin', brokers.url))
  const operated = opened.use(await openOperations(operator))
  const all = opened.move()
  return {
    beganAt: began.at,
    brokers,
    nats,
    clickhouseUrl: clickhouse.url,
    workloads,
    clients,
    unready,
    refusals: users.refusals,
    stagesFolder,
    partnerLedger: outside.partnerLedger,
    repeatedCalls: outside.repeatedCalls,
    async handOver(server) {
      await operated.handOver({ server, who: 'the one who rolls' })
    },
    async endLoad() {
      publisher.signal('SIGUSR1')
      await clients.stop()
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

function startBrokers(
  { folder, lameDuckGraceMs }: StartOptions,
  { onLine, users }: { onLine: (name: string) => (line: string) => void; users: DeploymentUsers },
): Promise<NatsCluster> {
  const lines = new Map(['n1', 'n2', 'n3'].map((name) => [name, onLine(name)]))
  return startNatsCluster({
    dataDir: join(folder, 'nats'),
    maxStoreBytes: MAX_STORE_BYTES,
    // 30 s is the least that the server takes.
    config: `lame_duck_grace_period: "${lameDuckGraceMs}ms"\nlame_duck_duration: "30s"\n${users.config}`,
    onLine(line, node) {
      lines.get(node)?.(line)
      users.onLine(line)
    },
  })
}

const workerOf = ({ root }: Release): string => join(root, 'test/chaos/workload/worker.ts')

/** Grace periods are as they are: whoever needs them all was not done in time. */
function scaled({ order, graceMs, ...times }: Strategy, scale: number): Strategy {
  return { order, graceMs, minReadyMs: times.minReadyMs * scale, preStopMs: times.preStopMs * scale }
}
