import type { PayloadFault } from '../errors.ts'
import type { AnyContract, ServiceContracts } from '@malha/mesh'
import type { Actor, Desk } from '../audit/audited.ts'
import { type AsyncApi, asyncApi } from './asyncapi.ts'
import { type KnownContract, knownContract, knownContracts } from './known-contract.ts'
import { publishEvent, type PublishedEvent, type PublishEventOptions } from './publish.ts'
import { readSaid } from './said.ts'

/** The contracts of a mesh, as its services said them at their last start. Needs none of their code. */
export interface Contracts {
  /** What each service said. @throws OperationsError OPERATIONS_NO_CONTRACTS */
  services(): Promise<ServiceContracts[]>
  /** Every type. @throws OperationsError OPERATIONS_NO_CONTRACTS */
  list(): Promise<KnownContract[]>
  /** @throws OperationsError OPERATIONS_NO_CONTRACTS | OPERATIONS_UNKNOWN_TYPE */
  read(type: string): Promise<KnownContract>
  /** All that is wrong with a payload for a type; empty when it may be published. @throws as `read` */
  check(type: string, data: unknown): Promise<PayloadFault[]>
  /**
   * Publishes an event of a type, or of a contract that the caller has. Audited as `event.publish`, without its payload.
   * @throws OperationsError as `read`, OPERATIONS_PAYLOAD_REFUSED | OPERATIONS_INVALID_OPTIONS | OPERATIONS_NOT_AUDITED; MeshError as `mesh.publish`
   */
  publish(of: string | AnyContract, data: unknown, options: Actor & PublishEventOptions): Promise<PublishedEvent>
  /** The mesh as an AsyncAPI 3 document. @throws OperationsError OPERATIONS_NO_CONTRACTS */
  describe(): Promise<AsyncApi>
}

export function contractsOf(desk: Desk): Contracts {
  const { mesh } = desk
  const read = async (type: string): Promise<KnownContract> => knownContract(await readSaid(mesh), type)
  return {
    services: () => readSaid(mesh),
    list: async () => knownContracts(await readSaid(mesh)),
    read,
    async check(type, data) {
      const { payloadFaults } = await import('./check-payload.ts')
      return payloadFaults(await read(type), data)
    },
    publish: async (of, data, options) =>
      publishEvent(desk, { contract: typeof of === 'string' ? await read(of) : of, data }, options),
    describe: async () => asyncApi(await readSaid(mesh), { names: mesh.names, server: mesh.nats.getServer() }),
  }
}
