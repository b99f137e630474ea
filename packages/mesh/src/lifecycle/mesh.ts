import type { KV } from '@nats-io/kv'
import type { NatsConnection } from '@nats-io/transport-node'
import type { DelayApi } from '../delay/api.ts'
import type { DelayDurable } from '../delay/durable.ts'
import type { AnyContract, Contract } from '../message/contract.ts'
import type { Logger } from '../observe/logger.ts'
import type { Expectation } from '../publish/expectation.ts'
import type { PublishOptions } from '../publish/outgoing.ts'
import type { PreparedEvent } from '../publish/prepared.ts'
import type { Publication, PublishAllOptions } from '../publish/publish-all.ts'
import type { Published, Queued } from '../publish/publisher.ts'
import type { Stores } from '../publish/store.ts'
import type { ErrorSchemas, RequestContract } from '../request/contract.ts'
import type { RequestOptions } from '../request/prepare.ts'
import type { RequestStreamOptions } from '../request/request-stream.ts'
import type { ServiceDef } from '../service/define.ts'
import type { Names } from '../topology/names.ts'
import type { BootReport } from './boot-report.ts'
import type { BucketOptions } from './bucket.ts'
import type { Expiring } from './own-files.ts'
import type { RunningService } from './start-service.ts'

export type Health = { ready: boolean; reasons: string[] }

/** A connection to the mesh. */
export interface Mesh extends AsyncDisposable, DelayApi, Stores {
  /** The NATS client's own connection, for what the mesh does not do. Whoever closes it closes the mesh. */
  readonly nats: NatsConnection
  readonly names: Names
  readonly log: Logger
  /** How many events wait in the spool; undefined without one. */
  readonly queued: number | undefined
  /** Resolves when NATS was there for the first time: at once, unless there is a `spool`. Rejects (MESH_CLOSED) when closed before. */
  connected(): Promise<void>
  /**
   * Stores one event; resolves only when the server has it. Retried under the same id until `timeoutMs`. With a `spool` it
   * resolves with `queued: true` when the event is on the disk instead (never one that expects something, or comes later); then also
   * MESH_SPOOL_FULL | MESH_SPOOL_FAILED.
   * @throws MeshError MESH_INVALID_PAYLOAD | MESH_INVALID_KEY | MESH_INVALID_HEADER | MESH_INVALID_DELAY | MESH_PAYLOAD_TOO_LARGE | MESH_ID_CONFLICT |
   * MESH_ONCE_CONFLICT | MESH_EXPECTATION_FAILED | MESH_STREAM_FULL | MESH_NO_STREAM | MESH_PUBLISH_TIMEOUT | MESH_PUBLISH_REFUSED | MESH_CLOSED
   */
  publish<In, Out>(
    contract: Contract<In, Out>,
    data: In,
    options: PublishOptions & ({ expect: Expectation } | { deliverIn: number } | { deliverAt: Date }),
  ): Promise<Published>
  publish<In, Out>(contract: Contract<In, Out>, data: In, options?: PublishOptions): Promise<Published | Queued>
  /**
   * Stores several events of one stream in one atomic batch: all, next to each other and in this order, or none. At most
   * 1000. Retried until `timeoutMs`; within the stream's duplicate window a repeat under the same ids stores nothing.
   * @throws MeshError MESH_INVALID_BATCH with every fault, and those of `publish`
   */
  publishAll(publications: readonly Publication[], options?: PublishAllOptions): Promise<Published[]>
  /**
   * Asks, and waits for the answer: at most `timeoutMs`, in which the connection may have to come back first. Nothing is
   * stored: when nobody answers such requests, that is an error at once.
   * @throws ReplyError an error that the contract names; MeshError MESH_NO_RESPONDER | MESH_REQUEST_TIMEOUT | MESH_BUSY |
   * MESH_REQUEST_FAILED | MESH_REPLY_TOO_LARGE | MESH_SCHEMA_MISMATCH | MESH_UNDECODABLE | MESH_INVALID_PAYLOAD |
   * MESH_INVALID_HEADER | MESH_INVALID_OPTIONS | MESH_PAYLOAD_TOO_LARGE | MESH_CLOSED
   */
  request<In, Out, Given, Answer, Errors extends ErrorSchemas>(
    contract: RequestContract<In, Out, Given, Answer, Errors, false>,
    data: In,
    options?: RequestOptions,
  ): Promise<Answer>
  /**
   * Asks, and gives the parts of the answer as they come, every one of them or an error. Asked when the first part is taken.
   * Leaving the loop tells the responder to stop.
   * @throws as `request`, while the parts are taken; MeshError MESH_REPLY_BROKEN when the responder is gone or a part is missing
   */
  requestStream<In, Out, Given, Answer, Errors extends ErrorSchemas>(
    contract: RequestContract<In, Out, Given, Answer, Errors, true>,
    data: In,
    options?: RequestStreamOptions,
  ): AsyncGenerator<Answer, void>
  /**
   * Stores an event that {@link prepareEvent} made, here or elsewhere: its id, time, key and trace are those of that
   * moment. Resolves only when the server has it.
   * @throws MeshError as `publish`
   */
  publishPrepared(event: PreparedEvent, options?: { timeoutMs?: number }): Promise<Published>
  /** Starts a service's handlers. @throws MeshError MESH_TOPOLOGY with every fault */
  start(service: ServiceDef): Promise<RunningService>
  /** Starts a service and resolves when SIGTERM, SIGINT or `signal` has stopped it. A process that can do no more for a handler or a reply ends with 1. */
  run(service: ServiceDef, options?: { signal?: AbortSignal }): Promise<void>
  /** Makes (or compares) the streams of a service, without starting it. @throws MeshError MESH_TOPOLOGY */
  provision(service: ServiceDef): Promise<Omit<BootReport, 'handlers'>>
  /**
   * The same with the durables of its handlers: where services run with `topology: 'verify'`, somebody makes all of it before.
   * @throws MeshError MESH_TOPOLOGY
   */
  provisionHandlers(service: ServiceDef): Promise<BootReport>
  /**
   * Makes (or compares) the durables by which events of these types come later, once some service is provisioned.
   * @throws MeshError MESH_TOPOLOGY | MESH_NO_STREAM
   */
  provisionDelays(contracts: readonly AnyContract[]): Promise<DelayDurable[]>
  /** For `/readyz`. */
  health(): Health
  /**
   * What of this connection is valid for some time only: its certificate, credentials and authorities as they are in their
   * files now, and the certificates of servers (`host:port`; by default the one it is connected to).
   */
  expiring(servers?: readonly string[]): Promise<Expiring[]>
  /** Opens a JetStream key-value bucket of the namespace; made where it is missing. Names are upper case. */
  bucket(name: string, options?: BucketOptions): Promise<KV>
  /** Stops the services, waits for publishes, drains the connection. Safe to call twice. */
  close(): Promise<void>
}
