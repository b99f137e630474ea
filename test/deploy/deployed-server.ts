import { defineDeployment, type Uses, type Workload } from '@malha/deployment'
import type { Mesh, MeshOptions, ServiceDef } from '@malha/mesh'
import { testServer, type TestServer } from '@malha/testing'
import { deploymentUsers } from './users.ts'

/** A nats-server with the users that are generated for services, and all made that these need, as it is in production. */
export interface DeployedServer extends TestServer {
  /** Environment of a process of that user, with the address. */
  as(user: string): Record<string, string>
  /** A mesh of that user in this process, closed with the server. */
  connect(user: string, options?: Partial<MeshOptions>): Promise<Mesh>
}

const TOOLS = ['archive', 'console', 'notifier', 'provision'] as const

/**
 * Starts a server for services with the tools of the mesh beside them: users are the names of both, and `viewer`, `operator`
 * and `admin`. Disposing it throws what the server refused meanwhile.
 * @param uses What a definition does not say, by service.
 */
export async function deployedServer(
  services: readonly ServiceDef[],
  uses: Readonly<Record<string, Uses>> = {},
): Promise<DeployedServer> {
  const workloads: Workload[] = [
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
  ]
  await using opened = new AsyncDisposableStack()
  const users = opened.use(await deploymentUsers(defineDeployment({ name: 'test', namespace: 'test', workloads })))
  // It is disposed as it is now, whatever takes that place below.
  const server = opened.use(await testServer({ config: users.config, onLine: users.onLine }))
  await users.prepare(server.url)
  const all = opened.move()
  return Object.assign(server, {
    as: (user: string) => ({ NATS_URL: server.url, ...users.as(user) }),
    connect: async (user: string, options?: Partial<MeshOptions>) =>
      all.use(await users.mesh(user, server.url, options)),
    [Symbol.asyncDispose]: async () => {
      await all.disposeAsync()
      users.assertNoneRefused()
    },
  })
}
