import { join } from 'node:path'
import { freePorts, startNats, startNatsCluster } from '@malha/stack'
import { backend } from '../../reference/backend.ts'
import type { ChaosProcess, Topology } from '../system.ts'
import type { Disks } from './disks.ts'
import { inTurn } from './in-turn.ts'
import type { Links } from './links.ts'
import { signal } from './signal.ts'

/** The brokers of a run, by the names that links have. */
export interface Brokers extends AsyncDisposable {
  readonly processes: readonly ChaosProcess[]
  readonly ports: ReadonlyMap<string, number>
  /** Not through a proxy. */
  readonly urls: readonly string[]
}

export type BrokersOptions = {
  topology: Topology
  dataDir: string
  links: Links
  disks: Disks
  /** Of nats-server. */
  users: string
  onLine: (line: string, broker: string) => void
}

/** A stream's `max_bytes` counts in full, and nothing here is to be full but on purpose. */
const MAX_STORE_BYTES = 1024 ** 4

/** In lame duck mode a broker waits so long before it closes connections, one a second. */
const configOf = (users: string): string => `
${users}
lame_duck_grace_period: "1s"
lame_duck_duration: "30s"
`

export function startBrokers(options: BrokersOptions): Promise<Brokers> {
  return options.topology === 'single' ? startOne(options) : startThree(options)
}

async function startOne({ dataDir, disks, users, onLine }: BrokersOptions): Promise<Brokers> {
  const name = 'nats-1'
  await disks.give(name, dataDir)
  const [port, monitorPort] = (await freePorts(2)) as [number, number]
  const onBrokerLine = (line: string): void => onLine(line, name)
  const config = configOf(users)
  const options = { dataDir, port, monitorPort, maxStoreBytes: MAX_STORE_BYTES, config, onLine: onBrokerLine }
  const start = () => startNats(options)
  const kept = await backend(start, true)
  const process = brokerProcess(name, {
    get pid() {
      return kept.isRunning ? kept.server?.pid : undefined
    },
    kill: () => kept.kill(),
    stop: () => kept.stop(),
    start: async () => (kept.isRunning ? undefined : await kept.restart()),
  })
  return {
    processes: [process],
    ports: new Map([[name, port]]),
    urls: [`nats://127.0.0.1:${port}`],
    [Symbol.asyncDispose]: () => kept.stop(),
  }
}

async function startThree({ dataDir, links, disks, users, onLine }: BrokersOptions): Promise<Brokers> {
  const nameOf = (node: string): string => node.replace('n', 'nats-')
  await Promise.all(['n1', 'n2', 'n3'].map((node) => disks.give(nameOf(node), join(dataDir, node))))
  const cluster = await startNatsCluster({
    dataDir,
    config: configOf(users),
    maxStoreBytes: MAX_STORE_BYTES,
    onLine: (line, node) => onLine(line, nameOf(node)),
    routeThrough: ({ from, to, port }) => links.between(nameOf(from), nameOf(to), port),
  })
  const { nodes } = cluster
  return {
    processes: nodes.map((node) => brokerProcess(nameOf(node.name), node)),
    ports: new Map(nodes.map(({ name, port }) => [nameOf(name), port])),
    urls: nodes.map(({ url }) => url),
    [Symbol.asyncDispose]: () => cluster.stop(),
  }
}

type Node = {
  readonly pid: number | undefined
  kill(): Promise<void>
  stop(): Promise<void>
  start(): Promise<void>
}

function brokerProcess(name: string, node: Node): ChaosProcess {
  const turn = inTurn()
  return {
    name,
    kind: 'broker',
    get pid() {
      return node.pid
    },
    kill: () => turn(() => node.kill()),
    stop: () => turn(() => node.stop()),
    start: () => turn(() => node.start()),
    pause: () => signal(node.pid, 'SIGSTOP'),
    resume: () => signal(node.pid, 'SIGCONT'),
  }
}
