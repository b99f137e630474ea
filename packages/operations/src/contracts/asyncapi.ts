/**
 * What the services of a mesh say, as an AsyncAPI 3 document (https://www.asyncapi.com/docs/reference/specification/v3.0.0,
 * NATS bindings 0.1.0). Pure: the same mesh gives the same document.
 */
import type { Names, ServiceContracts } from '@malha/mesh'
import { channelsOf } from './asyncapi-channels.ts'
import { headersSchema, messagesOf, schemasOf } from './asyncapi-messages.ts'
import { operationsOf } from './asyncapi-operations.ts'
import { knownContracts } from './known-contract.ts'

/** A document of AsyncAPI 3, plain JSON. */
export type AsyncApi = {
  readonly asyncapi: '3.0.0'
  readonly info: { readonly title: string; readonly version: string; readonly description: string }
  readonly defaultContentType: 'application/json'
  readonly servers: Json
  readonly channels: Json
  readonly operations: Json
  readonly components: { readonly messages: Json; readonly schemas: Json }
}

export type Json = { readonly [name: string]: unknown }

export type AsyncApiOptions = {
  readonly names: Names
  /** `host:port` of NATS. */
  readonly server: string
  /** @default the namespace, and that the services said it at their last start */
  readonly about?: { readonly title: string; readonly description: string }
}

export function asyncApi(
  services: readonly ServiceContracts[],
  { names, server, about = ofRunning(services, names) }: AsyncApiOptions,
): AsyncApi {
  const contracts = knownContracts(services)
  const mesh = { services, contracts, names }
  return {
    asyncapi: '3.0.0',
    info: {
      title: about.title,
      // Of the wire: a mesh has no version of its own, its services have theirs.
      version: '1',
      description: about.description,
    },
    defaultContentType: 'application/json',
    servers: { nats: { host: server, protocol: 'nats', description: 'NATS with JetStream' } },
    channels: channelsOf(mesh),
    operations: operationsOf(mesh),
    components: {
      messages: messagesOf(mesh),
      schemas: { ...schemasOf(mesh), [headersSchema.name]: headersSchema.schema },
    },
  }
}

const ofRunning = (services: readonly ServiceContracts[], { namespace }: Names): AsyncApiOptions['about'] & {} => ({
  title: namespace === '' ? 'mesh' : `mesh ${namespace}`,
  description: `What the services of this mesh said at their last start: ${services.map((one) => `${one.service} ${one.version}`).join(', ') || 'none has'}.`,
})
