import { type Contract, event, type HandlerContext, hours, type Mesh, stream, type StreamDef } from '@malha/mesh'
import type { TestMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { z } from 'zod'

export const Move = z.object({ orderId: z.string(), n: z.number().int() })
export type Move = z.infer<typeof Move>

export const orders: StreamDef = stream('ORDERS', {
  subjects: ['order.>'],
  maxAgeMs: hours(1),
  maxBytes: 64 * 1024 ** 2,
})
export const moved: Contract<Move> = event('order.moved', {
  stream: orders,
  schema: Move,
  key: (order) => order.orderId,
})

export const Told = z.object({ orderId: z.string(), n: z.number().int(), fence: z.number().int() })
export const told: Contract<z.infer<typeof Told>> = event('order.told', {
  stream: orders,
  schema: Told,
  key: (order) => order.orderId,
})

export type Call = { key: string; n: number; fence: number; attempt: number; by: string }

/** Keeps the calls of handlers, of several instances in the order they happen. */
export function recorder(): { calls: Call[]; note: (data: Move, ctx: HandlerContext, by?: string) => Call } {
  const calls: Call[] = []
  return {
    calls,
    note({ orderId, n }, ctx, by = '') {
      const call = { key: orderId, n, fence: ctx.fence ?? 0, attempt: ctx.attempt, by }
      calls.push(call)
      return call
    },
  }
}

/** Calls that began after a later one of their key had begun. */
export function inversions(calls: readonly Call[]): Call[] {
  const last = new Map<string, number>()
  return calls.filter(({ key, n }) => {
    const before = last.get(key) ?? -1
    last.set(key, Math.max(before, n))
    return n < before
  })
}

/** Moves `from` to `to` (exclusive) of each of so many keys, all keys at once, moves in order. */
export async function publishMoves(mesh: Mesh, keys: number, to: number, from = 0): Promise<void> {
  for (let n = from; n < to; n += 1)
    await Promise.all(Array.from({ length: keys }, (_, key) => mesh.publish(moved, { orderId: `o${key}`, n })))
}

/** What is known of a handler's partition. */
export type Known = { partition: number; owner: string; fence: number; read: number; revision: number; text: string }

/** Of the partitions with keys. */
export async function records(t: TestMesh, handler = 'billing_bill'): Promise<Known[]> {
  const jsm = await jetstreamManager(t.nats)
  const bucket = `${t.namespace}_MESH_PARTITIONS`
  const prefix = `$KV.${bucket}.${t.namespace}_${handler}.at.`
  const found: Known[] = []
  for await (const one of await jsm.direct.getLastMessagesFor(`KV_${bucket}`, { multi_last: [`${prefix}*`] })) {
    const text = one.string()
    const { owner, fence, read } = JSON.parse(text) as Known
    found.push({ partition: Number(one.subject.slice(prefix.length)), owner, fence, read, revision: one.seq, text })
  }
  return found.filter(({ partition }) => partition < orders.partitions).sort((a, b) => a.partition - b.partition)
}
