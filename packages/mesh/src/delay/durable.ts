import { AckPolicy, type ConsumerConfig, DeliverPolicy, JetStreamApiError, jetstreamManager } from '@nats-io/jetstream'
import { nanos, type NatsConnection } from '@nats-io/transport-node'
import { MeshError } from '../errors.ts'
import type { TopologyMode } from '../lifecycle/options.ts'
import { apiCode, apiCodes, apiSentence, deniedSubject } from '../topology/api-errors.ts'
import { askAgain } from '../topology/ask-again.ts'
import type { Names } from '../topology/names.ts'
import { FORMAT } from '../topology/system.ts'

type Place = { nc: NatsConnection; names: Names; topology: TopologyMode }

/** A durable by which events of a type come later, with the namespace. */
export type DelayDurable = { readonly stream: string; readonly durable: string; readonly created: boolean }

/** A forwarder's whole attempt fits in, and what a killed one had in hand is not late for long. */
const ACK_WAIT_MS = 10_000

/** The durable by which due events of a type are brought to their stream, as the mesh makes it. */
export const delayConsumer = (names: Names, type: string): Partial<ConsumerConfig> => ({
  durable_name: names.delayDurable(type),
  filter_subject: names.delayDue(type),
  ack_policy: AckPolicy.Explicit,
  deliver_policy: DeliverPolicy.All,
  ack_wait: nanos(ACK_WAIT_MS),
  max_deliver: -1,
  max_ack_pending: 20_000,
  max_waiting: 2048,
  metadata: { 'malha.type': type, 'malha.format': FORMAT },
})

/**
 * Makes the durable of a type, or looks whether it is there.
 * @throws MeshError MESH_NO_STREAM | MESH_TOPOLOGY; another error when the same may go well soon
 */
export async function ensureDelayDurable({ nc, names, topology }: Place, type: string): Promise<void> {
  if (topology === 'none') return
  const jsm = await jetstreamManager(nc, { checkAPI: false })
  const stream = names.delays()
  try {
    if (topology === 'verify') await jsm.consumers.info(stream, names.delayDurable(type))
    else await jsm.consumers.add(stream, delayConsumer(names, type))
  } catch (error) {
    const code = apiCode(error)
    if (code === apiCodes.consumerExists) return
    if (code === apiCodes.streamMissing)
      throw new MeshError(
        'MESH_NO_STREAM',
        `${type} cannot be published for later: stream ${stream} does not exist; provision or start a service once`,
        { cause: error },
      )
    if (isPassing(error)) throw error
    const why =
      code === apiCodes.consumerMissing
        ? `it does not exist, and MALHA_TOPOLOGY=verify makes none; say in the deployment that this service delays ${type} (uses.delays) and run malha provision`
        : apiSentence(error)
    throw new MeshError('MESH_TOPOLOGY', `durable ${names.delayDurable(type)} on ${stream}: ${why}`, { cause: error })
  }
}

/** The same for several types, before anybody needs them, again while nobody answers. @throws as `ensureDelayDurable` */
export async function provisionDelays(place: Place, types: readonly string[]): Promise<DelayDurable[]> {
  const { nc, names } = place
  const jsm = await jetstreamManager(nc, { checkAPI: false })
  const stream = names.delays()
  const made: DelayDurable[] = []
  for (const type of new Set(types)) {
    const durable = names.delayDurable(type)
    const isThere = await askAgain(() => jsm.consumers.info(stream, durable)).then(
      () => true,
      () => false,
    )
    await askAgain(() => ensureDelayDurable(place, type))
    made.push({ stream, durable, created: !isThere })
  }
  return made
}

/** The broker is away, or elects. */
function isPassing(error: unknown): boolean {
  if (deniedSubject(error) !== undefined) return false
  return !(error instanceof JetStreamApiError) || error.status === 503 || error.status === 429
}
