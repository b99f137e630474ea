/** What runs while the power fails: a publisher and a handler of the mesh, and a publisher with the plain client. */
import {
  type Contract,
  defineService,
  event,
  hours,
  type Mesh,
  on,
  seconds,
  type ServiceDef,
  stream,
} from '@malha/mesh'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { z } from 'zod'
import { type Place, placeOf } from './acknowledged.ts'

const Reading = z.object({ n: z.number().int(), text: z.string() })
type Reading = z.infer<typeof Reading>

/** The server begins a new file every 4 MB then, and every 8 MB where more is allowed. */
const MAX_BYTES = 16 * 1024 ** 2

/** A run lasts longer than the usual five minutes, and nobody here is to be judged by that. */
const meters = stream('METERS', { subjects: ['meter.>'], maxBytes: MAX_BYTES, duplicateWindowMs: hours(2) })
export const meterRead: Contract<Reading> = event('meter.read', { stream: meters, schema: Reading })

/** Streams of the server, each with who publishes to it. */
export const STREAMS = { mesh: 'METERS', plain: 'PLAIN' } as const
export const READER_DURABLE = 'reader_read'

/** @param hear gets the id of every event that is handled */
export function reader(hear: (id: string) => void): ServiceDef {
  const read = on(meterRead, { startFrom: 'all', concurrency: 16, ackWaitMs: seconds(2) }, (_, ctx) => hear(ctx.id))
  return defineService('reader', { handlers: { read }, publishes: [meterRead] })
}

/** Some KiB, so that the server needs several files. */
const TEXT = 'kilowatt hours '.repeat(220)

export const reading = (n: number): Reading => ({ n, text: TEXT })

export type Load = { mesh: Mesh; nats: NatsConnection; events: number; replicas: number }

/** Where each event was stored, by the answer its publisher got. */
export type Told = Map<Place, string>

export async function makePlainStream(nats: NatsConnection, replicas: number): Promise<void> {
  const manager = await jetstreamManager(nats)
  await manager.streams.add({
    name: STREAMS.plain,
    subjects: ['plain.>'],
    num_replicas: replicas,
    max_bytes: MAX_BYTES,
    duplicate_window: hours(2) * 1e6,
  })
}

/** Publishes with the mesh and with the plain client at the same time, one event of the latter for three of the former. */
export async function publishLoad({ mesh, nats, events }: Load): Promise<Told> {
  const told: Told = new Map()
  const js = jetstream(nats)
  const byMesh = async (n: number): Promise<void> => {
    const { stream: name, seq = 0, id } = await mesh.publish(meterRead, reading(n), { id: `mesh-${n}` })
    told.set(placeOf(name ?? '', seq), id)
  }
  const byPlain = async (n: number): Promise<void> => {
    const id = `plain-${n}`
    const { seq } = await js.publish('plain.read', JSON.stringify(reading(n)), { msgID: id, timeout: 20_000 })
    told.set(placeOf(STREAMS.plain, seq), id)
  }
  await Promise.all([inTurn(events, { lanes: 24, each: byMesh }), inTurn(events / 3, { lanes: 8, each: byPlain })])
  return told
}

async function inTurn(count: number, work: { lanes: number; each: (n: number) => Promise<void> }): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < count) await work.each(next++)
  }
  await Promise.all(Array.from({ length: work.lanes }, lane))
}
