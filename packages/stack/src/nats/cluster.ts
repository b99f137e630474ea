import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { StackError } from '../errors.ts'
import type { StackLog } from '../log.ts'
import { freePorts } from '../ports.ts'
import { randomToken } from '../process/token.ts'
import { getJson } from '../process/until.ts'
import { findNatsServer } from './binary.ts'
import type { NatsBinary } from './binary.ts'
import type { NatsConfig } from './config.ts'
import { runNats } from './server.ts'
import type { NatsServer } from './server.ts'

export type NatsClusterOptions = {
  /** Each node keeps its streams in a folder of its own here. */
  dataDir: string
  /** @default 3 */
  size?: 3 | 5
  /** Lines of nats-server configuration for every node. */
  config?: string
  /** What JetStream may use of the disk, each node. @default the server's own limit */
  maxStoreBytes?: number
  /**
   * Gives the port of 127.0.0.1 that one node dials to reach the routes of another, such as that of a proxy in front of
   * `port`. Nodes then find each other in no other way, and clients know only the nodes they name. @default `port`
   */
  routeThrough?: (route: NatsRoute) => Promise<number>
  /** As for `startNats`, on every node. */
  syncAlways?: boolean
  /** Nodes that are not started here, by name: their `start()` is called later. The others must be a majority. @default none */
  late?: readonly string[]
  env?: NodeJS.ProcessEnv
  log?: StackLog
  /** Hears each line of the log of every node. */
  onLine?: (line: string, node: string) => void
}

/** One direction of dialling between two nodes, by their names. */
export type NatsRoute = { from: string; to: string; port: number }

export interface NatsNode {
  /** `n1`, `n2`, … also its server name: streams remember their peers by it. */
  readonly name: string
  readonly url: string
  readonly monitorUrl: string
  readonly port: number
  /** Undefined while it is down. */
  readonly pid: number | undefined
  /** SIGKILL; settles when the process is gone. */
  kill(): Promise<void>
  /** SIGTERM; settles when the process is gone. */
  stop(): Promise<void>
  /** Starts it again on its ports and its folder; settles when it is in touch with the cluster again. */
  start(): Promise<void>
}

export interface NatsCluster extends AsyncDisposable {
  readonly nodes: readonly NatsNode[]
  /** All nodes, comma separated, as `NATS_URL` takes it. */
  readonly url: string
  readonly version: string
  stop(): Promise<void>
}

const MEET_MS = 30_000
const MEET_POLL_MS = 25

/**
 * Starts a cluster of nats-servers on 127.0.0.1 and waits until every node it started sees a leader, and the leader all of them: a
 * stream has no place on a node that it does not see.
 * @throws StackError as `startNats` does, and `STACK_NOT_READY` where nodes do not find each other
 */
export async function startNatsCluster(options: NatsClusterOptions): Promise<NatsCluster> {
  const { size = 3, late = [] } = options
  const binary = await findNatsServer(options)
  const ports = await freePorts(size * 3)
  const dialled = await dialledPorts(ports.slice(0, size), options)
  const nodes = dialled.map((routes, i) =>
    clusterNode(binary, {
      ...options,
      name: nodeName(i),
      port: ports[size + i] as number,
      monitorPort: ports[2 * size + i] as number,
      cluster: { name: 'malha', port: ports[i] as number, routes, isSecret: options.routeThrough !== undefined },
    }),
  )
  const stop = async (): Promise<void> => void (await Promise.all(nodes.map((node) => node.stop())))
  const started = nodes.filter(({ name }) => !late.includes(name))
  try {
    const starts = await Promise.allSettled(started.map((node) => node.start()))
    for (const start of starts) if (start.status === 'rejected') throw start.reason
    await untilMet(started)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    nodes,
    url: nodes.map((node) => node.url).join(','),
    version: binary.version,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

async function untilMet(nodes: readonly NatsNode[]): Promise<void> {
  const deadline = Date.now() + MEET_MS
  while (!(await Promise.all(nodes.map((node) => leadsAll(node, nodes.length)))).includes(true)) {
    if (Date.now() > deadline)
      throw new StackError(
        'STACK_NOT_READY',
        `no leader of the cluster saw all ${nodes.length} nodes within ${MEET_MS / 1000} s`,
      )
    await sleep(MEET_POLL_MS)
  }
}

type MetaGroup = { leader?: string; replicas?: { current: boolean; offline?: boolean }[] }

/** Only the leader knows it of all. */
async function leadsAll({ name, monitorUrl }: NatsNode, size: number): Promise<boolean> {
  const said = await getJson<{ meta_cluster?: MetaGroup }>(`${monitorUrl}/jsz`).catch(() => undefined)
  const { leader, replicas = [] } = said?.meta_cluster ?? {}
  return leader === name && replicas.filter(({ current, offline }) => current && !offline).length === size - 1
}

/** What each node dials to reach the others. */
function dialledPorts(ports: readonly number[], { routeThrough }: NatsClusterOptions): Promise<number[][]> {
  const dial = async (from: number, to: number): Promise<number> => {
    const port = ports[to] as number
    return routeThrough ? routeThrough({ from: nodeName(from), to: nodeName(to), port }) : port
  }
  const others = (node: number): number[] => [...ports.keys()].filter((other) => other !== node)
  return Promise.all(ports.map((_, from) => Promise.all(others(from).map((to) => dial(from, to)))))
}

function nodeName(i: number): string {
  return `n${i + 1}`
}

type NodeOptions = Omit<NatsClusterOptions, 'onLine'> & {
  name: string
  port: number
  monitorPort: number
  cluster: NonNullable<NatsConfig['cluster']>
  onLine?: ((line: string, node: string) => void) | undefined
}

function clusterNode(binary: NatsBinary, options: NodeOptions): NatsNode {
  const { onLine, ...settings } = options
  const { name, port, monitorPort } = settings
  const dataDir = join(options.dataDir, name)
  let server: NatsServer | undefined
  return {
    name,
    port,
    url: `nats://127.0.0.1:${port}`,
    monitorUrl: `http://127.0.0.1:${monitorPort}`,
    get pid() {
      return server?.pid
    },
    async kill() {
      server?.kill()
      await server?.exited
      server = undefined
    },
    async stop() {
      await server?.stop()
      server = undefined
    },
    async start() {
      if (server) return
      const started = await runNats(binary, {
        ...settings,
        dataDir,
        token: randomToken(),
        ...(onLine && { onLine: (line) => onLine(line, name) }),
      })
      server = started
      // It may end by itself: a signal of somebody else's, a disk that is full.
      void started.exited.then(() => void (server === started && (server = undefined)))
    },
  }
}
