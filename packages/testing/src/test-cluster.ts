import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type NatsNode, startNatsCluster } from '@malha/stack'
import { jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { atExit } from './at-exit.ts'
import { eventually } from './eventually.ts'

/** Three servers that keep streams of three replicas. */
export interface TestCluster extends AsyncDisposable {
  /** All nodes, comma separated. */
  readonly url: string
  readonly nodes: readonly NatsNode[]
  /** The node that leads a stream, or one of its consumers; one that has no leader yet is waited for. */
  leader(nats: NatsConnection, stream: string, consumer?: string): Promise<NatsNode>
  /** Makes another node lead a stream, or one of its consumers; asked again while nobody can answer. */
  stepDown(nats: NatsConnection, stream: string, consumer?: string): Promise<void>
  /** SIGKILL of one node, then a start on its data. */
  restart(node: NatsNode): Promise<void>
}

export type TestClusterOptions = {
  /** Lines of nats-server configuration for each server: accounts, users, limits. */
  config?: string
  /** Hears each line of the log of each. */
  onLine?: (line: string, node: string) => void
}

/**
 * A cluster of three nats-servers on free ports of 127.0.0.1 and a folder of its own, which goes with it. Streams get
 * three replicas where the mesh connects with `replicas: 3`.
 * @throws StackError when there is no nats-server to be had, or it does not come up
 */
export async function testCluster(options: TestClusterOptions = {}): Promise<TestCluster> {
  const dataDir = await mkdtemp(join(tmpdir(), 'malha-test-'))
  const removeData = (): Promise<void> => rm(dataDir, { recursive: true, force: true, maxRetries: 5 })
  const cluster = await startNatsCluster({ dataDir, ...options }).catch(async (error: unknown) => {
    await removeData()
    throw error
  })
  const forget = atExit(() => {
    for (const { pid } of cluster.nodes) if (pid !== undefined) process.kill(pid, 'SIGKILL')
    rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 })
  })
  return {
    url: cluster.url,
    nodes: cluster.nodes,
    leader: (nats, stream, consumer) =>
      eventually(async () => {
        const jsm = await jetstreamManager(nats)
        const info = consumer ? await jsm.consumers.info(stream, consumer) : await jsm.streams.info(stream)
        const node = cluster.nodes.find(({ name }) => name === info.cluster?.leader)
        if (!node) throw new Error(`${consumer ?? stream} has no leader right now`)
        return node
      }),
    stepDown: (nats, stream, consumer) =>
      eventually(async () => {
        const what = consumer ? `CONSUMER.LEADER.STEPDOWN.${stream}.${consumer}` : `STREAM.LEADER.STEPDOWN.${stream}`
        const answer = await nats.request(`$JS.API.${what}`, undefined, { timeout: 10_000 })
        const { error } = answer.json<{ error?: { description: string } }>()
        if (error) throw new Error(`${consumer ?? stream} kept its leader: ${error.description}`)
      }),
    async restart(node) {
      await node.kill()
      await node.start()
    },
    async [Symbol.asyncDispose]() {
      forget()
      await Promise.all(cluster.nodes.map((node) => node.kill()))
      await removeData()
    },
  }
}
