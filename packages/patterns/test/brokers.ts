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
