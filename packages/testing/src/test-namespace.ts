import { randomBytes } from 'node:crypto'
import { connectMesh, type Mesh, type MeshOptions } from '@malha/mesh'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { eventually } from './eventually.ts'
import type { TestCluster } from './test-cluster.ts'
import type { TestServer } from './test-server.ts'

/** A namespace on a real broker, which is empty before and after. */
export interface TestNamespace extends AsyncDisposable {
  readonly namespace: string
  /** A connection outside the mesh that sees everything: to look, to break things, to be a plain client. */
  readonly nats: NatsConnection
  /** Connects a mesh in the namespace, as one more process would; it is closed with the namespace. */
  connect(options?: Partial<MeshOptions>): Promise<Mesh>
}

/** `t` and random digits, so that no two tests meet. */
export function freshNamespace(): string {
  return `t${randomBytes(5).toString('hex')}`
}

/** Opens a namespace. On a cluster its streams have three replicas. */
export async function openNamespace(
  broker: TestServer | TestCluster,
  options: Partial<MeshOptions> & { namespace: string },
): Promise<TestNamespace> {
  const { namespace } = options
  const settings: MeshOptions = { servers: broker.url, ...('nodes' in broker && { replicas: 3 }), ...options }
  const nats = await connect({
    servers: broker.url.split(','),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
    noAsyncTraces: true,
  })
  const opened = new AsyncDisposableStack()
  opened.defer(() => nats.close())
  // A server that has just come back: the first request may be lost with the old connection.
  opened.defer(() => eventually(() => deleteNamespace(nats, namespace)))
  return {
    namespace,
    nats,
    connect: async (more = {}) => opened.use(await connectMesh({ ...settings, ...more })),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

/** Streams reserve what they may grow to, so a finished test gives it back. Buckets are streams too. */
async function deleteNamespace(nats: NatsConnection, namespace: string): Promise<void> {
  if (nats.isClosed() || namespace === '') return
  const jsm = await jetstreamManager(nats, { checkAPI: false, timeout: 3000 })
  const mine = new RegExp(`^(KV_)?${namespace}[-_]`)
  for await (const name of jsm.streams.names()) if (mine.test(name)) await jsm.streams.delete(name).catch(() => false)
}
