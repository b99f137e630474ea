import { event, stream } from '@malha/mesh'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { z } from 'zod'

export const orders = stream('ORDERS', { subjects: ['order.>'] })

export const timedOut = event('order.timed-out', {
  stream: orders,
  schema: z.object({ orderId: z.string() }),
  key: ({ orderId }) => orderId,
})

export const reportDue = event('order.report-due', { stream: orders, schema: z.object({ of: z.string() }) })

/** Events of a stream, oldest first: id, type, when it was due and when its stream had it. */
export type Stored = { id: string; type: string; subject: string; dueMs: number; storedMs: number }

/** Reads a stream from its beginning to what is its end now, past every mesh. */
export async function storedIn(nats: NatsConnection, streamName: string): Promise<Stored[]> {
  const { state } = await (await jetstreamManager(nats)).streams.info(streamName)
  const found: Stored[] = []
  if (state.messages === 0) return found
  const consumer = await jetstream(nats).consumers.get(streamName, {})
  for await (const message of await consumer.consume({ max_messages: 5000 })) {
    found.push({
      id: message.headers!.get('ce-id'),
      type: message.headers!.get('ce-type'),
      subject: message.subject,
      dueMs: Date.parse(message.headers!.get('malha-due')),
      storedMs: Number(message.timestampNanos / 1000n) / 1000,
    })
    if (message.seq >= state.last_seq) break
  }
  return found
}

export const percentile = (sorted: readonly number[], p: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * p) / 100))]!
