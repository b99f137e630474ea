import { join } from 'node:path'
import type { StackLog } from '../log.ts'
import { freePorts } from '../ports.ts'
import { randomToken } from '../process/token.ts'
import { findNatsServer } from './binary.ts'
import type { NatsBinary } from './binary.ts'
import { runNats } from './server.ts'
import type { NatsServer } from './server.ts'

export type NatsClusterOptions = {
  /** Each node keeps its streams in a folder of its own here. */
  dataDir: string
  /** @default 3 */
  size?: 3 | 5
  /** Lines of nats-server configuration for every node. */
  config?: string
  env?: NodeJS.ProcessEnv
  log?: StackLog
}

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

/** Starts a cluster of nats-servers on 127.0.0.1 and waits until every node sees a leader. */
export async function startNatsCluster(options: NatsClusterOptions): Promise<NatsCluster> {
  const { size = 3 } = options
  const binary = await findNatsServer(options)
  const ports = await freePorts(size * 3)
  const routes = ports.slice(0, size)
  const nodes = routes.map((route, i) =>
    clusterNode(binary, {
      ...options,
      name: `n${i + 1}`,
      port: ports[size + i] as number,
      monitorPort: ports[2 * size + i] as number,
      cluster: { name: 'malha', port: route, routes: routes.filter((other) => other !== route) },
    }),
  )
  const stop = async (): Promise<void> => void (await Promise.all(nodes.map((node) => node.stop())))
  const starts = await Promise.allSettled(nodes.map((node) => node.start()))
  const failed = starts.find((start) => start.status === 'rejected')
  if (failed) {
    await stop()
    throw failed.reason
  }
  return {
    nodes,
    url: nodes.map((node) => node.url).join(','),
    version: binary.version,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

type NodeOptions = NatsClusterOptions & {
  name: string
  port: number
  monitorPort: number
  cluster: { name: string; port: number; routes: number[] }
}

function clusterNode(binary: NatsBinary, options: NodeOptions): NatsNode {
  const { name, port, monitorPort } = options
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
      server ??= await runNats(binary, { ...options, dataDir, token: randomToken() })
    },
  }
}
