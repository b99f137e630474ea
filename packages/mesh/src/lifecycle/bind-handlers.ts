import type { KV } from '@nats-io/kv'
import type { Beginning } from '../consume/ordered/partition-store.ts'
import { faultsError, MeshError } from '../errors.ts'
import type { HandlerDef, ServiceDef } from '../service/define.ts'
import { ensureConsumer, ensureLaneConsumer, type EnsuredConsumer } from '../topology/consumer.ts'
import { type EventDurable, eventDurablesOf } from '../topology/event-durables.ts'
import { askAgain } from '../topology/ask-again.ts'
import { checkOrder, ensureOrdered } from '../topology/ordered.ts'
import { type HandlerPlace, orphanFaults } from '../topology/orphans.ts'
import { addedTo, checkNobodyLoses, pastOf } from '../topology/past.ts'
import { ensureShadow } from '../topology/shadow.ts'
import { partitionStoreOf } from './start-ordered.ts'
import type { ServiceDeps } from './start-service.ts'

/** A handler with its durables on its event stream. */
export type Bound = { handler: string; def: HandlerDef; consumers: Consumers; beginning?: Beginning | undefined }
type Consumers = readonly [EnsuredConsumer, ...EnsuredConsumer[]]

/**
 * Makes or compares the durables of every handler of a service, side by side: one after the other a start waits for the
 * server eight times a handler.
 * @throws MeshError MESH_TOPOLOGY with every fault of every handler
 */
export async function bindAll(deps: ServiceDeps, service: ServiceDef, checkpoints: KV): Promise<Bound[]> {
  const faults = await orphanFaults(deps.nc, deps.names, {
    service: service.name,
    handlers: placesOf(deps, service),
    retired: service.retired,
    log: deps.log,
  })
  // A renamed handler must not get a durable before its old one is dealt with.
  if (faults.length > 0) throw faultsError('MESH_TOPOLOGY', `service ${service.name} cannot start`, faults)
  const bound = await Promise.allSettled(
    Object.entries(service.handlers).map(async ([handler, def]): Promise<Bound> => {
      const parts = { handler, def, checkpoints, onlyMissing: false }
      return { handler, def, ...(await bindOf(def)(deps, service, parts)) }
    }),
  )
  for (const { reason } of bound.filter((one) => one.status === 'rejected')) {
    if (!(reason instanceof MeshError)) throw reason
    faults.push(reason.message)
  }
  if (faults.length > 0) throw faultsError('MESH_TOPOLOGY', `service ${service.name} cannot start`, faults)
  return bound.filter((one) => one.status === 'fulfilled').map(({ value }) => value)
}

const bindOf = (def: HandlerDef): typeof bindOrdered | typeof bind | typeof bindShadow =>
  def.order ? bindOrdered : def.shadow ? bindShadow : bind

type BindParts = { handler: string; def: HandlerDef; checkpoints: KV; onlyMissing: boolean }

/** The same for one handler. @throws MeshError MESH_TOPOLOGY */
export async function bind(
  { nc, names, options, log }: ServiceDeps,
  service: ServiceDef,
  { handler, def, checkpoints, onlyMissing }: BindParts,
): Promise<{ consumers: Consumers }> {
  await askAgain(() => checkOrder(nc, names, { service: service.name, handler, def }))
  const common = { service: service.name, handler, def, mode: options.topology, onlyMissing, log }
  const stream = names.stream(def.source.stream)
  const ensure = (durable: EventDurable): Promise<EnsuredConsumer> =>
    ensureConsumer(nc, names, { ...common, durable, stream, checkpoints })
  const durables = eventDurablesOf(def)
  const [main, ...more] = durables
  const past = more.length > 0 ? await pastOf(nc, names, { ...common, stream, checkpoints, durables }) : undefined
  if (past && options.topology === 'ensure' && !onlyMissing) checkNobodyLoses(past, names, common)
  const parts = more.map((part) => ensure(addedTo(past, names, part)))
  const lane = ensureLaneConsumer(nc, names, common)
  // Made last, because it says that a handler is not new.
  const first = options.topology === 'ensure' ? Promise.all([lane, ...parts]) : Promise.resolve()
  const made = first.then(() => ensure(main))
  await allOf(handler, [made, lane, ...parts])
  return { consumers: [await made, ...(await Promise.all(parts))] }
}

/** Waits for all, so that one fault does not hide another. */
async function allOf(handler: string, promises: readonly Promise<unknown>[]): Promise<void> {
  const settled = await Promise.allSettled(promises)
  const errors = new Set(settled.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : [])))
  const faults = [...errors].map((error) => {
    if (!(error instanceof MeshError)) throw error
    return error
  })
  if (faults.length > 1)
    throw faultsError(
      'MESH_TOPOLOGY',
      `handler ${handler}`,
      faults.map(({ message }) => message),
    )
  if (faults[0]) throw faults[0]
}

async function bindOrdered(
  deps: ServiceDeps,
  service: ServiceDef,
  { handler, def }: BindParts,
): Promise<{ consumers: Consumers; beginning: Beginning }> {
  const { nc, names, options, log } = deps
  const store = partitionStoreOf(deps, service, handler)
  const whose = { service: service.name, handler, def, log }
  const stream = names.stream(def.source.stream)
  const { consumer, beginning } = await askAgain(() => ensureOrdered(nc, names, { ...whose, stream, store }))
  await ensureLaneConsumer(nc, names, { ...whose, mode: options.topology })
  return { consumers: [consumer], beginning }
}

/** What a replay sends is all that it takes. @throws MeshError MESH_TOPOLOGY */
export async function bindShadow(
  { nc, names, options, log }: ServiceDeps,
  service: ServiceDef,
  { handler, def, onlyMissing }: BindParts,
): Promise<{ consumers: Consumers }> {
  const whose = { service: service.name, handler, def, mode: options.topology, onlyMissing, log }
  const stream = names.stream(def.source.stream)
  return { consumers: [await askAgain(() => ensureShadow(nc, names, { ...whose, stream }))] }
}

function placesOf({ names }: ServiceDeps, service: ServiceDef): Record<string, HandlerPlace> {
  const place = (handler: string, def: HandlerDef): HandlerPlace => ({
    stream: names.stream(def.source.stream),
    durables: eventDurablesOf(def).map(({ part }) => names.durable(service.name, handler, part)),
    filters: eventDurablesOf(def).flatMap(({ filters }) => filters.map((filter) => names.subject(filter))),
  })
  const entries = Object.entries(service.handlers)
  return Object.fromEntries(entries.map(([handler, def]) => [handler, place(handler, def)]))
}
