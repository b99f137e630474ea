import type { NatsConnection } from '@nats-io/transport-node'
import type { ConnectionWatch } from '../lifecycle/connection-watch.ts'
import type { MeshMetrics } from '../observe/mesh-metrics.ts'
import type { Names } from '../topology/names.ts'
import { InFlight } from './in-flight.ts'
import { ReplyInbox } from './reply-inbox.ts'
import { sendRequest } from './request.ts'
import { requestStream, type RequestStreamOptions } from './request-stream.ts'
import type { AnyRequest } from './contract.ts'
import type { RequestOptions } from './prepare.ts'

export type RequesterDeps = {
  nc: NatsConnection
  connection: ConnectionWatch
  names: Names
  options: { readonly name: string; readonly inboxPrefix: string }
  metrics: MeshMetrics
}

/** What a mesh asks with. Its payloads are typed by the interface of the mesh. */
export type Requester = {
  // oxlint-disable-next-line typescript/no-explicit-any -- typed by Mesh.request
  readonly request: (contract: AnyRequest, data: unknown, options?: RequestOptions) => Promise<any>
  // oxlint-disable-next-line typescript/no-explicit-any -- typed by Mesh.requestStream
  readonly requestStream: (
    contract: AnyRequest,
    data: unknown,
    options?: RequestStreamOptions,
  ) => AsyncGenerator<any, void>
  /** Waits `ms` for what is on its way; the rest fails with MESH_CLOSED. */
  readonly close: (ms: number) => Promise<void>
}

export function requesterOf(deps: RequesterDeps): Requester {
  const inFlight = new InFlight(deps.metrics)
  const inbox = new ReplyInbox(deps.nc, deps.options.inboxPrefix)
  const all = { ...deps, inFlight, inbox }
  return {
    request: (contract, data, options = {}) => sendRequest(all, contract, { ...options, data }),
    requestStream: (contract, data, options = {}) => requestStream(all, contract, { ...options, data }),
    close: (ms) => inFlight.close(ms),
  }
}
