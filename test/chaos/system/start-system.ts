import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from '@malha/stack'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { type PartnerName, partnerNames, serviceNames } from '../../reference/processes.ts'
import { recorderEnv } from '../history/recorder.ts'
import type { Plant, PlantEnv } from '../plants/plants.ts'
import type { ChaosSystem, Topology } from '../system.ts'
import { commandLine } from './command-line.ts'
import { startDatabase } from './database.ts'
import { logFiles } from './log-files.ts'
import { mendedFile, startClients, startLedger, startPublishers, startWorkers } from './load-processes.ts'
import type { NodeProcess } from './node-process.ts'
import { openBrokers } from './open-brokers.ts'
import { previousRelease } from './previous-release.ts'
import { controlPort, processOfPartner, startPartners, startServices } from './reference-processes.ts'
import { at, type Site } from './site.ts'

export type SystemOptions = {
  topology: Topology
  /** Messages a second that the load publishes. */
  rate: number
  /** Where processes write their operations, a file each. */
  operations: string
  /** Where processes write their logs, a file each. */
  logs: string
  /** When the run began, monotonic. */
  beganNs: bigint
  /** A defect that some processes have, and what these find in their environment for it. */
  plant?: { plant: Plant; env: PlantEnv } | undefined
  /** Ends the start: what runs by then is stopped. */
  signal: AbortSignal
}

/** What a run needs of the system beside what nemeses do to it. */
export interface RunningSystem extends ChaosSystem, AsyncDisposable {
  /** What `release('previous')` starts. */
  readonly previous: string
  /** The file in which the simulator of a partner keeps what it did. */
  partnerLedger(partner: PartnerName): string
  /** Names of those that publish the load. */
  readonly publishers: readonly string[]
  /** What brokers refused to processes and operators, a line each. */
  readonly refusals: readonly string[]
  /** How often processes ended of an error that nobody caught, by name. */
  crashes(): Record<string, number>
  /** From now on handlers do what they refused before. */
  mended(): Promise<void>
  /** Ends the load. Resolves when it is over: all clients of the API have been answered. */
  endLoad(): Promise<void>
}

const NAMES = [
  'clickhouse',
  'api',
  'ledger',
  ...partnerNames.flatMap((partner) => [processOfPartner(partner), controlPort(partner)]),
  ...serviceNames,
  'load-worker-1',
  'load-worker-2',
  'load-publisher',
  'load-spooler',
]

/** Starts the reference mesh and the load, in a folder that goes with them. */
export async function startSystem(options: SystemOptions): Promise<RunningSystem> {
  await using opened = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'malha-chaos-'))
  opened.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const site = opened.use(await openSite(options, folder))
  const { links, brokers, users } = site
  const replicas = options.topology === 'cluster' ? 3 : 1
  const { signal } = options
  signal.throwIfAborted()
  const clickhouse = opened.use(await startDatabase(site))
  signal.throwIfAborted()
  const keep = (processes: NodeProcess[]): NodeProcess[] => processes.map((process) => opened.use(process))
  await users.prepare(brokers.urls.join(','), { replicas })
  const previous = await previousRelease(join(folder, 'previous'))

  const outside = keep([...startPartners(site), startLedger(site)])
  await allReady(outside, signal)
  const services = keep(await startServices(site, previous))
  const workers = keep(await startWorkers(site))
  await allReady([...services, ...workers], signal)
  const publishers = keep(await startPublishers(site, options.rate))
  const clients = opened.use(startClients(site, options.rate))
  await allReady(publishers, signal)
  const operator = await openOperator(site, 'admin')
  opened.defer(() => operator.close())
  const systemAccount = await openOperator(site, 'sys')
  opened.defer(() => systemAccount.close())

  const malha = opened.use(
    commandLine({
      urls: brokers.urls,
      user: users.as('operator'),
      cache: join(folder, 'operator'),
      onLine: site.onLine('operator'),
    }),
  )

  const harmed = outside.filter(({ kind }) => kind === 'partner')
  const processes = [...brokers.processes, clickhouse.process, ...harmed, ...services, ...workers, ...publishers]
  const control = (partner: PartnerName): string => at(site.port(controlPort(partner)))
  const all = opened.move()
  return {
    topology: options.topology,
    processes,
    links: links.all,
    operator,
    systemAccount,
    malha,
    mended: () => writeFile(mendedFile(folder), ''),
    setPartnerFault: (partner, fault) => setFault(control(partner as PartnerName), fault),
    fillDisk: (owner) => site.disks.fill(processes.find(({ name }) => name === owner)!),
    clickhouseUrl: at(site.port('clickhouse')),
    previous: previous.name,
    partnerLedger: (partner) => join(folder, 'partners', `${partner}.sqlite`),
    refusals: users.refusals,
    publishers: [...publishers, clients].map(({ name }) => name),
    crashes: () =>
      Object.fromEntries(
        [...outside, ...services, ...workers, ...publishers, clients]
          .filter(({ crashes }) => crashes > 0)
          .map(({ name, crashes }) => [name, crashes]),
      ),
    async endLoad() {
      for (const publisher of publishers) publisher.signal('SIGUSR1')
      await clients.supervised.stop({ graceMs: 120_000 })
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

async function openSite(options: SystemOptions, folder: string): Promise<Site & AsyncDisposable> {
  const { topology, operations, logs, beganNs, plant } = options
  const free = await freePorts(NAMES.length)
  const onLine = logFiles(logs)
  const brokerLogs = new Map(['nats-1', 'nats-2', 'nats-3'].map((name) => [name, onLine(name)]))
  return {
    ...(await openBrokers({ topology, folder, onLine: (line, broker) => brokerLogs.get(broker)?.(line) })),
    topology,
    folder,
    port: (name) => free[NAMES.indexOf(name)]!,
    onLine,
    plantOf: (name) => (plant && name.startsWith(plant.plant.processes) ? plant.env : undefined),
    recording: (name) => recorderEnv({ process: name, file: join(operations, `${name}.jsonl`), beganNs }),
  }
}

function openOperator({ brokers, users }: Site, user: 'admin' | 'sys'): Promise<NatsConnection> {
  return connect({
    authenticator: users.authenticatorOf(user),
    servers: [...brokers.urls],
    name: 'chaos operator',
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
    pingInterval: 2000,
    ignoreClusterUpdates: true,
  })
}

/** @throws the signal's reason as soon as it aborts; the processes are stopped by whoever has them */
async function allReady(processes: readonly NodeProcess[], signal: AbortSignal): Promise<void> {
  const stopped = Promise.withResolvers<never>()
  const onAbort = (): void => stopped.reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    await Promise.race([Promise.all(processes.map((process) => process.start())), stopped.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

async function setFault(control: string, fault: object): Promise<void> {
  const answer = await fetch(`${control}/_fault`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(fault),
    signal: AbortSignal.timeout(10_000),
  })
  if (!answer.ok) throw new Error(`PUT /_fault answered ${answer.status}: ${await answer.text()}`)
}
