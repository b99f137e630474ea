import { setTimeout as sleep } from 'node:timers/promises'
import type { StreamDef } from '@malha/mesh'
import { testCluster, type TestCluster, testMesh, type TestMesh } from '@malha/testing'
import { afterAll } from 'vitest'

/** What is promised holds on one server and on three replicas alike. */
export type Broker = { readonly name: string; open(): Promise<TestMesh> }

/** Those of one test file, which calls this once: started when first needed, each test in a namespace of its own. */
export function testBrokers(): readonly [Broker, Broker] {
  let cluster: Promise<TestCluster> | undefined
  afterAll(async () => await (await cluster)?.[Symbol.asyncDispose]())
  const onThree = async (): Promise<TestMesh> => {
    const server = await (cluster ??= testCluster())
    // What both have alike is all that is asked of it here.
    return (await testMesh({ server })) as TestMesh<object> as TestMesh
  }
  return [
    { name: 'one server', open: () => testMesh() },
    { name: 'three replicas', open: onThree },
  ]
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
