import type { ConsumerConfig, StreamConfig } from '@nats-io/jetstream'
import { delayConsumer } from '../delay/durable.ts'
import { faultsError } from '../errors.ts'
import type { AnyContract } from '../message/contract.ts'
import type { ServiceDef } from '../service/define.ts'
import {
  consumerToAdd,
  type DesiredConsumer,
  eventConsumer,
  laneConsumer,
  type Start,
  startAt,
} from './consumer-config.ts'
import { declared } from './declared.ts'
import { eventDurablesOf } from './event-durables.ts'
import { type Names, names as namesOf } from './names.ts'
import type { StreamDef } from './stream.ts'
import {
  auditLogStream,
  contractsStream,
  controlStream,
  type DesiredStream,
  meshStream,
  notificationStream,
  operationsStream,
} from './system.ts'

/** A stream as the mesh makes it, in the server's own words: durations in ns, sizes in bytes. */
export type PlannedStream = { readonly name: string } & Readonly<Partial<StreamConfig>>

/** A durable as the mesh makes it. `startFrom: 'new'` means what comes after it is made, as nobody looks whether there was anything before. */
export type PlannedConsumer = { readonly stream: string; readonly config: Readonly<Partial<ConsumerConfig>> }

export type PlannedTopology = {
  readonly streams: readonly PlannedStream[]
  readonly consumers: readonly PlannedConsumer[]
}

export type PlanOptions = {
  /** @default none */
  namespace?: string
  /** For streams that do not say themselves. @default 1 */
  replicas?: number
  /** What is published for later. @default none */
  delays?: readonly AnyContract[]
}

/**
 * What services need on a server, for whoever makes it by another way (GitOps) and runs them with `topology: 'verify'`.
 * Pure. Streams come with those that are otherwise made by whoever needs one first. Handlers that keep the order of
 * keys make their consumers themselves, one a partition, so those are not here.
 * @throws MeshError MESH_TOPOLOGY with every fault
 */
export function plannedTopology(services: readonly ServiceDef[], options: PlanOptions = {}): PlannedTopology {
  const { replicas = 1 } = options
  const names = namesOf(options.namespace ?? '')
  const streams = new Map<string, DesiredStream>()
  for (const make of [operationsStream, auditLogStream, controlStream, contractsStream, notificationStream])
    streams.set(make(names).name, make(names))
  for (const service of services) {
    const { desired, faults } = declared(names, { ...needsOf(service), replicas })
    if (faults.length > 0) throw faultsError('MESH_TOPOLOGY', `service ${service.name}`, faults)
    for (const one of desired) streams.set(one.name, one)
  }
  return {
    streams: [...streams.values()].map(({ name, config, metadata, replicas: own }) => ({
      name,
      ...config,
      metadata,
      num_replicas: own ?? replicas,
    })),
    consumers: [...services.flatMap((service) => consumersOf(names, service)), ...delayConsumers(names, options)],
  }
}

const delayConsumers = (names: Names, { delays = [] }: PlanOptions): PlannedConsumer[] =>
  [...new Set(delays.map(({ type }) => type))].map((type) => ({
    stream: names.delays(),
    config: delayConsumer(names, type),
  }))

/** What a service needs beside the streams of the mesh itself. */
export function needsOf(service: ServiceDef): {
  streams: readonly StreamDef[]
  lanesFor: string
  ordered: boolean
  inbox: boolean
} {
  const handlers = Object.values(service.handlers)
  return {
    streams: streamsOf(service),
    lanesFor: service.name,
    ordered: handlers.some(({ order }) => order !== undefined),
    inbox: handlers.some(({ inbox }) => inbox !== undefined),
  }
}

/** Streams of all that the service handles and publishes, each once, without the mesh's own. */
function streamsOf(service: ServiceDef): StreamDef[] {
  const contracts = [...Object.values(service.handlers).map(({ source }) => source), ...service.publishes]
  return [...new Set(contracts.map((contract) => contract.stream))].filter((def) => def !== meshStream)
}

function consumersOf(names: Names, service: ServiceDef): PlannedConsumer[] {
  return Object.entries(service.handlers).flatMap(([handler, def]) => {
    const whose = { service: service.name, handler, def }
    const lane = planned(
      names.lanes(service.name),
      names.durable(service.name, handler),
      laneConsumer(names, whose),
      startAt('all', 0),
    )
    if (def.order !== undefined || def.shadow) return [lane]
    const stream = names.stream(def.source.stream)
    const events = eventDurablesOf(def).map(({ part, filters, startFrom }) =>
      planned(
        stream,
        names.durable(service.name, handler, part),
        eventConsumer(names, { ...whose, filters }),
        startAt(startFrom, 1),
      ),
    )
    return [...events, lane]
  })
}

function planned(stream: string, durable: string, desired: DesiredConsumer, start: Start): PlannedConsumer {
  return { stream, config: consumerToAdd(durable, desired, start) }
}
