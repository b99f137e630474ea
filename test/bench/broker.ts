import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type NatsCluster, startNats, startNatsCluster } from '@malha/stack'
import { processCpuUs } from './process-figures.ts'

/** The NATS server, or the three of a cluster, that a case runs on. */
export interface Broker extends AsyncDisposable {
  /** As `NATS_URL` takes it. */
  readonly url: string
  readonly version: string
  /** Undefined on one server. */
  readonly cluster: NatsCluster | undefined
  /** User and system time of all its servers so far, µs. */
  cpuUs(): Promise<number>
}

/** A fresh broker in a folder of its own, which goes with it. */
export async function startBroker(replicas: 1 | 3): Promise<Broker> {
  await using opened = new AsyncDisposableStack()
  const dataDir = await mkdtemp(join(tmpdir(), 'malha-bench-'))
  opened.defer(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }))
  // What streams reserve counts in full against it.
  if (replicas === 1) {
    const server = opened.use(await startNats({ dataDir, maxStoreBytes: 8 * 1024 ** 4 }))
    return broker(server, opened.move(), { cluster: undefined, pids: () => [server.pid] })
  }
  const cluster = opened.use(await startNatsCluster({ dataDir }))
  const pids = (): number[] => cluster.nodes.flatMap(({ pid }) => pid ?? [])
  return broker(cluster, opened.move(), { cluster, pids })
}

function broker(
  { url, version }: { url: string; version: string },
  opened: AsyncDisposableStack,
  { cluster, pids }: { cluster: NatsCluster | undefined; pids: () => number[] },
): Broker {
  return {
    url,
    version,
    cluster,
    async cpuUs() {
      const each = await Promise.all(pids().map(processCpuUs))
      return each.reduce((sum, us) => sum + us, 0)
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}
