import type { Mesh, MeshOptions } from '@malha/mesh'
import { borrowServer } from './shared-server.ts'
import type { TestCluster } from './test-cluster.ts'
import { freshNamespace, openNamespace, type TestNamespace } from './test-namespace.ts'
import type { TestServer } from './test-server.ts'

export type TestMeshOptions = Partial<MeshOptions> & {
  /** @default `t` and random digits, so that no two tests meet */
  namespace?: string
  /** Whose broker to use. @default one server a test file, started when first needed */
  server?: TestServer | TestCluster
}

/** A mesh on a real server, in a namespace of its own. */
export interface TestMesh<Server = TestServer> extends TestNamespace {
  readonly mesh: Mesh
  /** Of the server; comma separated for a cluster. */
  readonly url: string
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
  const { server: own, namespace = freshNamespace(), ...given } = options
  await using opening = new AsyncDisposableStack()
  const server = own ?? opening.use(await borrowServer()).server
  const opened = opening.use(await openNamespace(server, { ...given, namespace }))
  const mesh = await opened.connect()
  const all = opening.move()
  return { ...opened, mesh, url: server.url, server, [Symbol.asyncDispose]: () => all.disposeAsync() }
}
