import { type TestCluster, testCluster } from '@malha/testing'
import { connectMesh, defineService, stream, event } from '@malha/mesh'
import { z } from 'zod'
import { startExporter } from './brokers.ts'
import type { Lab } from './fault.ts'

const ledger = stream('LEDGER', { subjects: ['ledger.>'] })
const written = event('ledger.written', { stream: ledger, schema: z.object({}) })

/** Three servers, of which two are killed. */
export async function clusterLab(bin: string): Promise<Lab> {
  await using opening = new AsyncDisposableStack()
  const cluster: TestCluster = opening.use(await testCluster())
  const mesh = opening.use(await connectMesh({ servers: cluster.url.split(','), replicas: 3 }))
  await mesh.start(defineService('ledger', { handlers: {}, publishes: [written] }))
  await mesh.publish(written, {})
  const [, ...others] = cluster.nodes
  const exporters = []
  for (const { monitorUrl } of cluster.nodes) exporters.push(opening.use(await startExporter(bin, monitorUrl)))
  const rest = opening.move()
  return {
    targets: exporters.map(({ address }) => address),
    faults: [
      {
        alerts: ['StreamWithoutLeader'],
        begin: async () => void (await Promise.all(others.map((node) => node.kill()))),
        end: async () => void (await Promise.all(others.map((node) => node.start()))),
      },
    ],
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  }
}
