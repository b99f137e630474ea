import type { TestCluster } from '../test-cluster.ts'
import { freshNamespace, openNamespace } from '../test-namespace.ts'
import type { TestServer } from '../test-server.ts'
import type { Capability, Case, ConformanceEnv } from './case.ts'

/** What a broker can do for a case. */
export function capabilitiesOf(broker: TestServer | TestCluster): readonly Capability[] {
  return 'nodes' in broker ? ['restart', 'stepDown'] : ['restart']
}

/** Runs one case on a broker, in a namespace of its own. Cases that need `restart` disturb whatever else runs there. */
export async function runCase(one: Case, broker: TestServer | TestCluster): Promise<void> {
  await using opened = await openNamespace(broker, { namespace: freshNamespace() })
  const { namespace, nats } = opened
  const env: ConformanceEnv = {
    namespace,
    nats,
    mesh: (options) => opened.connect(options),
    capabilities: capabilitiesOf(broker),
    server: 'nodes' in broker ? clusterControl(broker, nats) : serverControl(broker),
  }
  await one.run(env)
}

function serverControl(server: TestServer): ConformanceEnv['server'] {
  return {
    restart: () => server.restart(),
    stepDown: (stream) => Promise.reject(new Error(`${stream} is on a single server: nobody else can lead it`)),
  }
}

function clusterControl(cluster: TestCluster, nats: ConformanceEnv['nats']): ConformanceEnv['server'] {
  return {
    restart: async (stream) => cluster.restart(await cluster.leader(nats, stream)),
    stepDown: (stream, consumer) => cluster.stepDown(nats, stream, consumer),
  }
}
