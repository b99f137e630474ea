import type { NatsConnection } from '@nats-io/transport-node'
import type { BreakerState } from '../failure/breaker.ts'
import type { Verdict } from '../failure/classify.ts'
import type { LetterOffice } from '../failure/dead-letter.ts'
import type { Lane } from '../failure/lane.ts'
import type { ConnectionWatch } from '../lifecycle/connection-watch.ts'
import type { Envelope } from '../message/envelope.ts'
import type { Logger } from '../observe/logger.ts'
import type { MeshMetrics, OutcomeLabels } from '../observe/mesh-metrics.ts'
import type { PublisherDeps } from '../publish/publisher.ts'
import type { HandlerDef, ServiceDef } from '../service/define.ts'
import type { Names } from '../topology/names.ts'
import type { Delivery } from './delivery.ts'
import type { Gate } from './gate.ts'
import type { RateLimit } from './rate-limit.ts'
import type { Settler } from './settler.ts'
import type { Solitude } from './solitude.ts'

/** A failed attempt as it is recorded. */
export type FailedAttempt = { delivery: Delivery; envelope: Envelope; verdict: Verdict; nextAttemptAt: string | null }

/** What a runner does now. */
export type RunnerState = {
  concurrency: number
  rateLimit: RateLimit | undefined
  running: number
  leaked: number
  /** Messages in hand that wait for a slot, or for what stands before the handler. */
  ready: number
  /** Messages, or keys of an ordered handler, that wait in this process for their next attempt. */
  retrying: number
  gate: ReturnType<Gate['reading']>
  /** Of an ordered handler: how many of its partitions this process has. */
  partitions?: number
  /** Of an ordered handler: how many keys of these a dead letter holds. */
  heldKeys?: number
  /** Of these, those of which so many keys wait that they read nothing new. */
  fullPartitions?: number[]
}

/** Attempts that ended in this process since its start, by how. */
export type HandlerCounts = { done: number; failed: number }

export type HandlerLabels = { readonly service: string; readonly handler: string }

/** What a handler's runner is made of. */
export type RunnerOptions = {
  nc: NatsConnection
  connection: ConnectionWatch
  names: Names
  inboxPrefix: string | undefined
  log: Logger
  metrics: MeshMetrics
  publisher: PublisherDeps
  settler: Settler
  /** The connection name of the process. */
  instance: string
  /** One for the process. */
  solitude: Solitude
  service: ServiceDef
  handler: string
  /** Of the handler, in metrics and log lines. */
  labels: HandlerLabels
  outcomes: OutcomeLabels
  counts: HandlerCounts
  def: HandlerDef
  /** The event stream, as the server names it. */
  stream: string
  /** On that stream, as the server names them. */
  durables: readonly string[]
  epoch: number
  lane: Lane
  office: LetterOffice
  /** Must not throw. */
  record: (failed: FailedAttempt) => Promise<void>
  onBreaker: (state: BreakerState) => void
  /** The durable may be gone. */
  onDoubt: (why: string) => void
  /** This process can do no more for the handler. */
  onFatal: (error: Error) => void
  /** How long past its time-out a handler may ignore its signal. @default 10 000 */
  leakAfterMs?: number
}
