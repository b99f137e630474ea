import { randomBytes } from 'node:crypto'
import { connectMesh, type Mesh, type MeshOptions } from '@malha/mesh'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { borrowServer } from './shared-server.ts'
import type { TestCluster } from './test-cluster.ts'
import type { TestServer } from './test-server.ts'

export type TestMeshOptions = Partial<MeshOptions> & {
  /** @default `t` and random digits, so that no two tests meet */
  namespace?: string
  /** Whose broker to use. @default one server a test file, started when first needed */
  server?: TestServer | TestCluster
}

/** A mesh on a real server, in a namespace of its own. */
export interface TestMesh<Server = TestServer> extends AsyncDisposable {
  readonly mesh: Mesh
  /** Another mesh in the same namespace, as another process would have: another instance of a service. */
  connect(options?: Partial<MeshOptions>): Promise<Mesh>
  /** A connection outside the mesh that sees everything: to look, to break things, to be a plain client. */
  readonly nats: NatsConnection
  /** Of the server; comma separated for a cluster. */
  readonly url: string
  readonly namespace: string
  readonly server: Server
}

/**
 * Connects to a real nats-server under a fresh namespace. Disposing closes the meshes and deletes the namespace's
 * streams; a server of one's own is left running.
 * @throws MeshError as `connectMesh` does; StackError when no nats-server can be had
 */
export function testMesh(options?: TestMeshOptions & { server?: TestServer }): Promise<TestMesh>
export function testMesh(options: TestMeshOptions & { server: TestCluster }): Promise<TestMesh<TestCluster>>
export async function testMesh(options: TestMeshOptions = {}): Promise<TestMesh<TestServer | TestCluster>> {
  const { server: own, namespace = `t${randomBytes(5).toString('hex')}`, ...given } = options
  await using stack = new AsyncDisposableStack()
  const server = own ?? stack.use(await borrowServer()).server
  const nats = await connect({ servers: server.url.split(','), maxReconnectAttempts: -1, reconnectTimeWait: 100 })
  stack.defer(() => nats.close())
  stack.defer(() => deleteNamespace(nats, namespace))
  const settings = { servers: server.url, namespace, ...given }
  const mesh = stack.use(await connectMesh(settings))
  const all = stack.move()
  return {
    mesh,
    connect: async (more = {}) => all.use(await connectMesh({ ...settings, ...more })),
    nats,
    url: server.url,
    namespace,
    server,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

/** Streams reserve what they may grow to, so a finished test gives it back. Buckets are streams too. */
async function deleteNamespace(nats: NatsConnection, namespace: string): Promise<void> {
  if (nats.isClosed() || namespace === '') return
  const jsm = await jetstreamManager(nats, { checkAPI: false })
  const mine = new RegExp(`^(KV_)?${namespace}[-_]`)
  for await (const name of jsm.streams.names()) if (mine.test(name)) await jsm.streams.delete(name).catch(() => false)
}
