import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type NatsCluster, startClickHouse, startNatsCluster } from '@malha/stack'
import { openOperations } from '@malha/operations'
import { eventually } from '@malha/testing'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { recorderEnv, type RecorderOptions } from '../chaos/history/recorder.ts'
import { operationsFolder } from '../chaos/history/saved-run.ts'
import { logFiles } from '../chaos/system/log-files.ts'
import type { Release } from '../chaos/system/previous-release.ts'
import { deploymentWithLoad } from '../chaos/workload/deployment.ts'
import { type DeploymentUsers, deploymentUsers } from '../deploy/users.ts'
import { serviceNames } from '../reference/processes.ts'
import type { Clients } from './clients.ts'
import { endpoints } from './endpoints.ts'
import { startLoad } from './load.ts'
import { type Outside, startOutside } from './outside.ts'
import type { Unready } from './readiness.ts'
import { rolledWorkload, type RolledWorkloads, WORKER } from './rolled-workload.ts'
import type { ReleaseName, Workload } from './workload.ts'

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
  spoil?: RolledWorkloads['spoil']
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

/** Of the assumption in `endpoints.ts`, before it is scaled: less than the preStop of the manifests. */
const NEWS_MS = 2000
const MAX_STORE_BYTES = 1024 ** 4

export async function startRollingMesh(options: StartOptions): Promise<RollingMesh> {
  const { folder, releases, scale, spoil, centers, events, partnerLatencyMs } = options
  await using opened = new AsyncDisposableStack()
  const began = { ns: process.hrtime.bigint(), at: Date.now() }
  const operations = operationsFolder(folder)
  const stagesFolder = join(folder, 'stages')
  const logs = join(folder, 'logs')
  for (const one of [stagesFolder, logs]) await mkdir(one, { recursive: true })
  const onLine = logFiles(logs)
  const recording = (name: string): RecorderOptions => ({
    process: name,
    file: join(operations, `${name}.jsonl`),
    beganNs: began.ns,
  })

  // The worker has to ask whether it may bring what others delay: it may not.
  const users = opened.use(await deploymentUsers(deploymentWithLoad({ workerBrings: false })))
  const brokers = opened.use(await startBrokers(options, { onLine, users }))
  await eventually(() => users.prepare(brokers.url, { replicas: 3 }), { timeoutMs: 60_000 })
  // Rolled with nobody else's: never one that somebody else runs.
  const { CLICKHOUSE_URL: _, ...ownEnv } = process.env
  const clickhouse = opened.use(await startClickHouse({ dataDir: join(folder, 'clickhouse'), env: ownEnv }))
  const ofLedger = recorderEnv(recording('ledger'))
  const outside = opened.use(await startOutside({ folder, partnerLatencyMs, recording: ofLedger, onLine }))

  const unready: Unready[] = []
  const front = opened.use(endpoints({ newsMs: options.newsMs ?? NEWS_MS * scale }))
  const mesh = { NATS_URL: brokers.url, MALHA_REPLICAS: '3', LOG_LEVEL: 'info' }
  const rolled: RolledWorkloads = {
    releases,
    scale,
    spoil,
    stagesFolder,
    onLine,
    front,
    onUnready: (one) => unready.push(one),
    envOf: (name, { name: pod, slot }) => ({
      ...mesh,
      ...users.as(name === WORKER ? 'load' : name),
      ...(name === 'archive' && { CLICKHOUSE_URL: clickhouse.url }),
      ...(name === 'distribution-center' && { MALHA_SPOOL_FILE: join(folder, `spool-${slot}.db`) }),
      ...(name === WORKER && { ...recorderEnv(recording(pod)), LEDGER_URL: outside.ledgerUrl }),
      ...outside.partnerUrls,
    }),
  }
  const workloads: Workload[] = []
  for (const name of [...serviceNames, WORKER] as const) workloads.push(opened.use(await rolledWorkload(name, rolled)))
  await Promise.all(workloads.map((one) => one.begin()))

  const env = { ...mesh, ...users.as('load-publisher') }
  const load = opened.use(await startLoad({ centers, events, front, env, recording, onLine }))
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
    clients: load.clients,
    unready,
    refusals: users.refusals,
    stagesFolder,
    partnerLedger: outside.partnerLedger,
    repeatedCalls: outside.repeatedCalls,
    async handOver(server) {
      await operated.handOver({ server, who: 'the one who rolls' })
    },
    endLoad: () => load.end(),
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
