/**
 * What a handler had before it is bound: where durables begin that it gets beside those, and whether a release that runs
 * now is in the way.
 */
import { type ConsumerInfo, jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { ASK_MS } from './ask-again.ts'
import { readCheckpoint } from './checkpoint.ts'
import { droppedFilters, type EnsureConsumerOptions, guarded, infoOf } from './consumer.ts'
import { eventConsumer, takenBy } from './consumer-config.ts'
import type { EventDurable } from './event-durables.ts'
import type { Names } from './names.ts'
import { contains } from './subject-overlap.ts'

/** The durables a handler had, of those it is to have. */
export type Past = readonly { readonly durable: EventDurable; readonly info: ConsumerInfo }[]

type Whose = Pick<EnsureConsumerOptions, 'service' | 'handler' | 'stream' | 'checkpoints'>

/**
 * Undefined for a handler that is new: its main durable neither is there nor was. Needs `CONSUMER.INFO.<stream>.<durable>`
 * and the checkpoint bucket.
 * @throws MeshError MESH_TOPOLOGY
 */
export async function pastOf(
  nc: NatsConnection,
  names: Names,
  { service, handler, stream, checkpoints, durables }: Whose & { durables: readonly EventDurable[] },
): Promise<Past | undefined> {
  const jsm = await jetstreamManager(nc, { checkAPI: false, timeout: ASK_MS })
  const found = await Promise.all(
    durables.map(async (durable) => {
      const task = { jsm, handler, stream, durable: names.durable(service, handler, durable.part) }
      const info = await guarded(task, () => infoOf(task))
      return info ? [{ durable, info }] : []
    }),
  )
  const past = found.flat()
  if (past.some(({ durable }) => durable.part === undefined)) return past
  const main = names.durable(service, handler)
  const checkpoint = await guarded({ handler, stream, durable: main }, () => readCheckpoint(checkpoints, main))
  return checkpoint?.stream === stream ? past : undefined
}

/**
 * To be called before anything is made: a new durable that nobody reads, because this release may not start, would keep
 * what the one that runs goes on handling.
 * @throws MeshError MESH_TOPOLOGY when a release that runs takes something else
 */
export function checkNobodyLoses(
  past: Past,
  names: Names,
  whose: Pick<EnsureConsumerOptions, 'service' | 'handler' | 'def'>,
): void {
  for (const { durable, info } of past)
    droppedFilters(whose.handler, info, eventConsumer(names, { ...whose, filters: durable.filters }))
}

/**
 * A durable that a handler gets beside those it had: what one of these took it goes on with, anything else came with the
 * change, so all that is there is due.
 */
export function addedTo(past: Past | undefined, names: Names, durable: EventDurable): EventDurable {
  if (past === undefined) return durable
  const wanted = (durable.meant ?? durable.filters).map((filter) => names.subject(filter))
  const before = past.filter(({ info }) =>
    wanted.every((one) => takenBy(info.config).some((wide) => contains(wide, one))),
  )
  const floors = before.map(({ info }) => info.ack_floor.stream_seq)
  return { ...durable, startFrom: floors.length > 0 ? Math.min(...floors) : 'all' }
}
