import { createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { freePorts, type NatsCluster, startClickHouse, startNatsCluster } from '@malha/stack'
import { eventually } from '@malha/testing'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { openRecorder, recorderEnv } from '../chaos/history/recorder.ts'
import { operationsFolder } from '../chaos/history/saved-run.ts'
import { processOfPartner } from '../chaos/system/reference-processes.ts'
import type { Release } from '../chaos/system/previous-release.ts'
import {
  inheritedEnv,
  mainOf,
  partnerEnv,
  type PartnerName,
  partnerNames,
  partnerUrls,
  serviceNames,
} from '../reference/processes.ts'
import { type Clients, startClients } from './clients.ts'
import { endpoints } from './endpoints.ts'
import { type Pod, startPod } from './pod.ts'
import { readinessProbe, type Unready } from './readiness.ts'
import { served } from './served.ts'
import { type Strategy, strategyOf } from './strategy.ts'
import { type RolledUsers, rolledUsers } from './users.ts'
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
 * A mesh that can be rolled: three brokers, ClickHouse, partners, and every workload twice, each with the rights on the broker
 * that are generated for it.
 */
export interface RollingMesh extends AsyncDisposable {
  readonly beganAt: number
  readonly brokers: NatsCluster
  /** Of an operator. */
  readonly nats: NatsConnection
  readonly clickhouseUrl: string
  readonly workloads: readonly Workload[]
  readonly clients: Clients
  /** Of pods that take requests. */
  readonly unready: readonly Unready[]
  /** What a server refused to the user of a process. */
  readonly refusals: readonly string[]
  partnerLedger(partner: PartnerName): string
  readonly stagesFolder: string
  /** How often partners were called beyond once a centre: what they know under its key they do not do again. */
  repeatedCalls(): number
  /** Ends the load; resolves when all that was published has its answer. */
  endLoad(): Promise<void>
}

const REPLICAS = 2
/** Of the assumption in `endpoints.ts`, before it is scaled: less than the preStop of the manifests. */
const NEWS_MS = 2000
const MAX_STORE_BYTES = 1024 ** 4
const WORKER = 'load-worker'
const RECORDER = fileURLToPath(new URL('recorder.ts', import.meta.url))
const at = (port: number): string => `http://127.0.0.1:${port}`

export async function startRollingMesh(options: StartOptions): Promise<RollingMesh> {
  const { folder, releases, scale, spoil } = options
  await using opened = new AsyncDisposableStack()
  const began = { ns: process.hrtime.bigint(), at: Date.now() }
  const operations = operationsFolder(folder)
  const stagesFolder = join(folder, 'stages')
  const logs = join(folder, 'logs')
  await mkdir(stagesFolder, { recursive: true })
  await mkdir(logs, { recursive: true })
  const onLine = (name: string): ((line: string) => void) => {
    const file = createWriteStream(join(logs, `${name}.log`), { flags: 'a' })
    return (line) => void file.write(`${line}\n`)
  }
  const recording = (name: string): Record<string, string> =>
    recorderEnv({ process: name, file: join(operations, `${name}.jsonl`), beganNs: began.ns })

  const users = await rolledUsers(folder)
  const brokers = opened.use(await startBrokers(options, { onLine, users }))
  await eventually(() => users.prepare(brokers.url, 3), { timeoutMs: 60_000 })
  // Rolled with nobody else's: never one that somebody else runs.
  const { CLICKHOUSE_URL: _, ...ownEnv } = process.env
  const clickhouse = opened.use(await startClickHouse({ dataDir: join(folder, 'clickhouse'), env: ownEnv }))
  const outside = await startOutside(options, { onLine, ledger: recording('ledger') })
  opened.defer(outside.stop)

  const unready: Unready[] = []
  // Quicker, and no less patient with each answer.
  const asked = readinessProbe()
  const probe = { ...asked, periodMs: asked.periodMs * scale }
  const front = opened.use(endpoints({ newsMs: options.newsMs ?? NEWS_MS * scale }))
  const mesh = { NATS_URL: brokers.url, MALHA_REPLICAS: '3', LOG_LEVEL: 'info' }
  const ports = new Map<string, number[]>()
  const start = async (name: string): Promise<Workload> => {
    // As many as it has pods, over the whole roll: one in place of another keeps the other's.
    ports.set(name, await freePorts(4 * REPLICAS))
    const strategy = scaled(strategyOf(name === WORKER ? 'provider' : name), scale)
    return workload({
      name,
      strategy,
      replicas: REPLICAS,
      start: ({ name: pod, slot, release }) => {
        const [health, http] = ports.get(name)!.slice(2 * slot) as [number, number]
        return startPod({
          name: pod,
          main: name === WORKER ? workerOf(releases[release]) : mainOf(name as never, releases[release].root),
          env: {
            ...inheritedEnv(),
            ...mesh,
            ...users.as(name),
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
          urlsOf: (slot) =>
            ports
              .get(name)!
              .slice(2 * slot, 2 * slot + 2)
              .map(at) as [string, string],
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
    partnerLedger: (partner) => join(folder, 'partners', `${partner}.sqlite`),
    repeatedCalls: () => partnerNames.reduce((sum, one) => sum + repeatedCallsIn(join(folder, 'partners', one)), 0),
    async endLoad() {
      publisher.signal('SIGUSR1')
      await clients.stop()
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

function startBrokers(
  { folder, lameDuckGraceMs }: StartOptions,
  { onLine, users }: { onLine: OnLine; users: RolledUsers },
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

type OnLine = (name: string) => (line: string) => void
type Outside = { ledgerUrl: string; partnerUrls: Record<string, string>; stop: () => Promise<void> }

/** The partners and the ledger of effects: the world outside, which nobody rolls. */
async function startOutside(
  { folder, partnerLatencyMs }: StartOptions,
  { onLine, ledger }: { onLine: OnLine; ledger: Record<string, string> },
): Promise<Outside> {
  const [ledgerPort, ...free] = (await freePorts(1 + 2 * partnerNames.length)) as [number, ...number[]]
  const urls = new Map<PartnerName, string>()
  const pods: Pod[] = partnerNames.map((partner, index) => {
    const [port, controlPort] = free.slice(2 * index) as [number, number]
    urls.set(partner, at(port))
    return startPod({
      name: processOfPartner(partner),
      main: mainOf('partner-simulator'),
      env: {
        ...inheritedEnv(),
        ...partnerEnv(partner, { port, controlPort, dataDir: join(folder, 'partners') }),
        ...(partnerLatencyMs !== undefined && { LATENCY_MS: String(partnerLatencyMs) }),
      },
      readyUrl: `${at(controlPort)}/_fault`,
      onLine: onLine(processOfPartner(partner)),
    })
  })
  pods.push(
    startPod({
      name: 'ledger',
      main: fileURLToPath(new URL('../chaos/workload/ledger.ts', import.meta.url)),
      env: { ...inheritedEnv(), ...ledger, HTTP_PORT: String(ledgerPort) },
      readyUrl: at(ledgerPort),
      onLine: onLine('ledger'),
    }),
  )
  const stop = async (): Promise<void> => void (await Promise.all(pods.map((pod) => pod.stop())))
  try {
    await Promise.all(pods.map((pod) => pod.ready()))
  } catch (error) {
    await stop()
    throw error
  }
  return { ledgerUrl: at(ledgerPort), partnerUrls: partnerUrls((name) => urls.get(name)!), stop }
}

function repeatedCallsIn(ledger: string): number {
  using database = new DatabaseSync(`${ledger}.sqlite`, { readOnly: true, timeout: 5000 })
  const row = database.prepare('SELECT coalesce(sum(count - 1), 0) AS repeated FROM attempts').get()
  return Number(row?.['repeated'])
}

const workerOf = ({ root }: Release): string => join(root, 'test/chaos/workload/worker.ts')

/** Grace periods are as they are: whoever needs them all was not done in time. */
function scaled({ order, graceMs, ...times }: Strategy, scale: number): Strategy {
  return { order, graceMs, minReadyMs: times.minReadyMs * scale, preStopMs: times.preStopMs * scale }
}
