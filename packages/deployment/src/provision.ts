import { JetStreamApiError, type JetStreamManager, jetstreamManager } from '@nats-io/jetstream'
import {
  type Mesh,
  type PlannedStream,
  provisionAudit,
  provisionControls,
  provisionNotifications,
  provisionOperations,
} from '@malha/mesh'
import { bucketStreams } from './buckets.ts'
import { delaysOf, type Deployment } from './deployment.ts'

/** What is there when it is done, with the namespace. */
export type ProvisionReport = {
  readonly streams: readonly { readonly name: string; readonly action: string }[]
  readonly durables: readonly {
    readonly stream: string
    readonly name: string
    readonly action: 'created' | 'unchanged'
  }[]
}

/**
 * Makes, or brings to their declaration, all streams, buckets and durables of a deployment, so that its workloads run with
 * `MALHA_TOPOLOGY=verify` and may make nothing themselves. Safe to run again, and by several at once.
 * @throws MeshError MESH_TOPOLOGY with every fault of the first service that has one; MESH_NO_STREAM
 */
export async function provisionDeployment(mesh: Mesh, deployment: Deployment): Promise<ProvisionReport> {
  const streams = new Map<string, string>()
  const durables: ProvisionReport['durables'][number][] = []
  for (const service of deployment.workloads.flatMap((one) => one.service ?? [])) {
    const report = await mesh.provisionHandlers(service)
    for (const { name, action } of report.streams) if (streams.get(name) !== 'created') streams.set(name, action)
    for (const { stream, durables: names, created } of report.handlers)
      for (const name of names)
        durables.push({ stream, name, action: created.includes(name) ? 'created' : 'unchanged' })
  }
  for (const { stream, durable, created } of await mesh.provisionDelays(delaysOf(deployment)))
    durables.push({ stream, name: durable, action: created ? 'created' : 'unchanged' })
  const place = { nats: mesh.nats, names: mesh.names }
  // One after the other: a server that makes many streams at once answers late.
  for (const provision of [provisionOperations, provisionAudit, provisionControls, provisionNotifications])
    await provision(place)
  for (const [name, action] of await makeBuckets(mesh, deployment)) streams.set(name, action)
  return { streams: [...streams].map(([name, action]) => ({ name, action })), durables }
}

async function makeBuckets(mesh: Mesh, deployment: Deployment): Promise<[string, string][]> {
  const jsm = await jetstreamManager(mesh.nats, { checkAPI: false })
  const letters = await jsm.streams.info(mesh.names.stream('DEAD_LETTERS'))
  const done: [string, string][] = []
  for (const stream of bucketStreams(deployment, mesh.names))
    done.push([stream.name, await makeBucket(jsm, { ...stream, num_replicas: letters.config.num_replicas })])
  return done
}

/** One that is there stays as it is: whoever made it otherwise, e.g. larger, meant it. */
async function makeBucket(jsm: JetStreamManager, stream: PlannedStream): Promise<string> {
  try {
    await jsm.streams.info(stream.name)
    return 'unchanged'
  } catch (error) {
    if (!(error instanceof JetStreamApiError && error.code === STREAM_NOT_FOUND)) throw error
  }
  await jsm.streams.add(stream)
  return 'created'
}

const STREAM_NOT_FOUND = 10059
