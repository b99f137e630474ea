import { jetstream, jetstreamManager, type ConsumerConfig } from '@nats-io/jetstream'
import type { KV } from '@nats-io/kv'
import { testServer } from '@malha/testing'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { z } from 'zod'
import { event } from '../../src/message/contract.ts'
import type { Logger } from '../../src/observe/logger.ts'
import { type HandlerDef, type HandlerOptions, on } from '../../src/service/define.ts'
import { openCheckpoints } from '../../src/topology/checkpoint.ts'
import { ensureConsumer, type EnsuredConsumer } from '../../src/topology/consumer.ts'
import { eventDurablesOf } from '../../src/topology/event-durables.ts'
import { names } from '../../src/topology/names.ts'
import { type HandlerPlace } from '../../src/topology/orphans.ts'
import { provisionStreams } from '../../src/topology/provision.ts'
import { stream } from '../../src/topology/stream.ts'

export const here = names('t')
export const centers = stream('CENTERS', { subjects: ['center.>'], maxBytes: 1024 ** 2 })
const orders = stream('ORDERS', { subjects: ['order.>'], maxBytes: 1024 ** 2 })
const registered = event('center.registered', { stream: centers, schema: z.object({}) })
export const ordered = event('order.placed', { stream: orders, schema: z.object({}) })
export const DURABLE = 't_provider_senninha'
/** Where a handler reads that moved to, or stayed on, `stream`. */
export const at = (stream: string): HandlerPlace => ({ stream, durables: [DURABLE], filters: [] })

export const handler = (options: HandlerOptions = {}): HandlerDef => on(registered, options, () => undefined)

type Bench = AsyncDisposable & { nc: NatsConnection; checkpoints: KV }

/** A server with the streams and checkpoints of the service `provider`, before its handlers have durables. */
export async function bench(): Promise<Bench> {
  const server = await testServer()
  const nc = await connect({ servers: server.url })
  await provisionStreams(nc, here, { streams: [centers, orders], lanesFor: 'provider', mode: 'ensure' })
  const checkpoints = await openCheckpoints(nc, here)
  const dispose = async (): Promise<void> => {
    await nc.close()
    await server[Symbol.asyncDispose]()
  }
  return { nc, checkpoints, [Symbol.asyncDispose]: dispose }
}

/** Ensures the durable of its handler `senninha`, or of another. */
export function ensure(
  { nc, checkpoints }: Bench,
  def: HandlerDef,
  more: { mode?: 'ensure' | 'verify' | 'none'; log?: Logger; handler?: string } = {},
): Promise<EnsuredConsumer> {
  const name = more.handler ?? 'senninha'
  const options = { service: 'provider', mode: 'ensure' as const, stream: here.stream(def.source.stream), ...more }
  return ensureConsumer(nc, here, { ...options, handler: name, def, durable: eventDurablesOf(def)[0], checkpoints })
}

export async function store({ nc }: Bench, count: number, subject = 't.center.registered'): Promise<void> {
  const js = jetstream(nc)
  for (let index = 0; index < count; index++) await js.publish(subject, 'x')
}

/** Takes and acks the next `count` messages of the durable, or as many as there are by the end of the stream. */
export async function work({ nc }: Bench, count: number, expires = 20_000): Promise<number[]> {
  const { state } = await (await jetstreamManager(nc)).streams.info('t_CENTERS')
  const consumer = await jetstream(nc).consumers.get('t_CENTERS', DURABLE)
  const seqs: number[] = []
  for await (const message of await consumer.fetch({ max_messages: count, expires })) {
    await message.ackAck()
    seqs.push(message.seq)
    if (message.seq >= state.last_seq) break
  }
  return seqs
}

export async function configOf({ nc }: Bench, stream: string, durable: string): Promise<ConsumerConfig> {
  return (await (await jetstreamManager(nc)).consumers.info(stream, durable)).config
}

export async function deleteDurable({ nc }: Bench, stream = 't_CENTERS', durable = DURABLE): Promise<void> {
  await (await jetstreamManager(nc)).consumers.delete(stream, durable)
}

export async function failure(run: Promise<unknown>): Promise<string> {
  return run.then(
    () => 'nothing was thrown',
    (error: Error) => error.message,
  )
}

export function keep(): { log: Logger; lines: string[] } {
  const lines: string[] = []
  const write = (_: object, message: string): void => void lines.push(message)
  return { log: { debug: write, info: write, warn: write, error: write }, lines }
}
