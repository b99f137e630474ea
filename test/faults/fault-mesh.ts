import type { Mesh, ServiceDef } from '@malha/mesh'
import type { NatsConnection } from '@nats-io/transport-node'
import {
  type Deployed,
  type DeployedCluster,
  deployedCluster,
  type DeployedServer,
  deployedServer,
  type ServiceUses,
} from '../deploy/deployed-server.ts'

/**
 * Services on servers of their own, each with the rights that are generated for it. Disposing it throws what was refused.
 */
export interface OnServers extends Deployed, AsyncDisposable {
  /** Of the first of the services: it runs in this process. */
  readonly mesh: Mesh
  /** Of `admin`: looks at everything, and breaks it. */
  readonly nats: NatsConnection
}

export interface FaultMesh extends DeployedServer, OnServers {}
export interface FaultCluster extends DeployedCluster, OnServers {}

/** The first of them runs here, and the others are processes. */
type Services = readonly [ServiceDef, ...ServiceDef[]]

export const faultMesh = async (services: Services, uses?: ServiceUses): Promise<FaultMesh> =>
  connected(await deployedServer(services, uses), services)

export const faultCluster = async (services: Services, uses?: ServiceUses): Promise<FaultCluster> =>
  connected(await deployedCluster(services, uses), services)

async function connected<S extends Deployed & AsyncDisposable>(servers: S, [own]: Services): Promise<S & OnServers> {
  try {
    const [mesh, admin] = await Promise.all([servers.connect(own.name), servers.connect('admin')])
    return Object.assign(servers, { mesh, nats: admin.nats })
  } catch (error) {
    await servers[Symbol.asyncDispose]()
    throw error
  }
}
