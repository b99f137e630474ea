import { setTimeout as sleep } from 'node:timers/promises'
import type { StreamDef } from '@malha/mesh'
import { testCluster, testMesh, type TestMesh, testServer } from '@malha/testing'

/** What is promised holds on one server and on three replicas alike. */
export type Broker = { readonly name: string; open(): Promise<TestMesh & AsyncDisposable> }

export const brokers: readonly Broker[] = [
  { name: 'one server', open: async () => owned(await testServer()) },
  { name: 'three replicas', open: async () => owned(await testCluster()) },
]

async function owned(server: Awaited<ReturnType<typeof testServer | typeof testCluster>>): Promise<TestMesh> {
  const stack = new AsyncDisposableStack()
  stack.use(server)
  const t = stack.use(await testMesh({ server: server as Awaited<ReturnType<typeof testServer>> }))
  return { ...t, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

/** On a cluster, changes the leader of a stream again and again; the function it returns ends that. */
export function shake(t: TestMesh, stream: StreamDef): () => Promise<void> {
  if (!('nodes' in t.server)) return () => Promise.resolve()
  const over = new AbortController()
  const shaking = (async () => {
    while (!over.signal.aborted) {
      await t.nats
        .request(`$JS.API.STREAM.LEADER.STEPDOWN.${t.mesh.names.stream(stream)}`, undefined, { timeout: 5000 })
        .catch(() => undefined)
      await sleep(700)
    }
  })()
  return async () => {
    over.abort()
    await shaking
  }
}
