import { jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { faultsError, type MeshError } from '../errors.ts'
import { apiCode, apiCodes, deniedSubject } from './api-errors.ts'
import { ensureLaneConsumer, type EnsuredConsumer, type EnsureLaneConsumerOptions } from './consumer.ts'
import { SHADOW } from './consumer-config.ts'
import { eventDurablesOf } from './event-durables.ts'
import type { Names } from './names.ts'
import { streamState } from './stream-state.ts'

/**
 * Makes sure that a shadow has its lane. It has nothing on its event stream: what a handler of its name took there before
 * would wait for ever.
 * @throws MeshError MESH_TOPOLOGY
 */
export async function ensureShadow(
  nc: NatsConnection,
  names: Names,
  options: EnsureLaneConsumerOptions & { stream: string },
): Promise<EnsuredConsumer> {
  const { service, handler, def, stream } = options
  const { epoch } = await streamState(nc, stream)
  const durables = eventDurablesOf(def).map(({ part }) => names.durable(service, handler, part))
  const found = await Promise.all(durables.map((durable) => metadataOf(nc, stream, durable)))
  const lane = await metadataOf(nc, names.lanes(service), names.durable(service, handler))
  if (found.some((one) => one !== undefined) || (lane && lane[SHADOW] === undefined)) throw tookEvents(options)
  const { durable, created } = await ensureLaneConsumer(nc, names, options)
  return { stream, durable, epoch, created, filters: [], settled: 0 }
}

/** Undefined where there is no such durable, or this user may not look. */
async function metadataOf(
  nc: NatsConnection,
  stream: string,
  durable: string,
): Promise<Record<string, string> | undefined> {
  const jsm = await jetstreamManager(nc, { checkAPI: false })
  try {
    return (await jsm.consumers.info(stream, durable)).config.metadata ?? {}
  } catch (error) {
    if (apiCode(error) === apiCodes.consumerMissing || deniedSubject(error) !== undefined) return undefined
    throw error
  }
}

function tookEvents({ service, handler }: EnsureLaneConsumerOptions): MeshError {
  return faultsError('MESH_TOPOLOGY', `handler ${handler} of ${service}`, [
    'it took events before, and a shadow takes none: what waits for it would wait for ever; give the shadow a name of its own',
  ])
}
