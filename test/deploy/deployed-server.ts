import { defineDeployment, type Uses, type Workload } from '@malha/deployment'
import type { Mesh, MeshOptions, ServiceDef } from '@malha/mesh'
import { testCluster, type TestCluster, testServer, type TestServer } from '@malha/testing'
import { deploymentUsers } from './users.ts'

/** What is on servers with the users that are generated for services, where all is made that these need, as in production. */
export interface Deployed {
  /** Environment of a process of that user, with the address. */
  as(user: string): Record<string, string>
  /** A mesh of that user in this process, closed with the server. */
  connect(user: string, options?: Partial<MeshOptions>): Promise<Mesh>
}

export interface DeployedServer extends TestServer, Deployed {}
export interface DeployedCluster extends TestCluster, Deployed {}

/** What a definition does not say, by service. */
export type ServiceUses = Readonly<Record<string, Uses>>

/**
 * Starts a server for services with the tools of the mesh beside them: users are the names of both, and `viewer`, `operator`
 * and `admin`. Disposing it throws what the server refused meanwhile.
 */
export const deployedServer = (services: readonly ServiceDef[], uses: ServiceUses = {}): Promise<DeployedServer> =>
  deployed(testServer, { services, uses, replicas: 1 })

/** The same on three servers. */
export const deployedCluster = (services: readonly ServiceDef[], uses: ServiceUses = {}): Promise<DeployedCluster> =>
  deployed(testCluster, { services, uses, replicas: 3 })

const TOOLS = ['archive', 'console', 'notifier', 'provision'] as const

type Servers = AsyncDisposable & { readonly url: string }
type Start<S> = (options: { config: string; onLine: (line: string) => void }) => Promise<S>
type Wanted = { services: readonly ServiceDef[]; uses: ServiceUses; replicas: 1 | 3 }

async function deployed<S extends Servers>(start: Start<S>, wanted: Wanted): Promise<S & Deployed> {
  const { replicas } = wanted
  await using opened = new AsyncDisposableStack()
  const users = opened.use(await deploymentUsers(deploymentOf(wanted)))
  // It is disposed as it is now, whatever takes that place below.
  const server = opened.use(await start({ config: users.config, onLine: users.onLine }))
  await users.prepare(server.url, { replicas })
  const all = opened.move()
  return Object.assign(server, {
    as: (user: string) => ({ NATS_URL: server.url, MALHA_REPLICAS: String(replicas), ...users.as(user) }),
    connect: async (user: string, options?: Partial<MeshOptions>) =>
      all.use(await users.mesh(user, server.url, { replicas, ...options })),
    [Symbol.asyncDispose]: async () => {
      await all.disposeAsync()
      users.assertNoneRefused()
    },
  })
}

const deploymentOf = ({ services, uses }: Wanted): ReturnType<typeof defineDeployment> =>
  defineDeployment({
    name: 'test',
    namespace: 'test',
    workloads: [
      ...services.map((service): Workload => ({
        name: service.name,
        service,
        kind: 'Deployment',
        ports: {},
        ...(uses[service.name] && { uses: uses[service.name]! }),
      })),
      ...TOOLS.map((tool): Workload => ({
        name: tool,
        tool,
        kind: tool === 'provision' ? 'Job' : 'Deployment',
        ports: {},
      })),
    ],
  })
