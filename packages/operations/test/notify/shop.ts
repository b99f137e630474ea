import { defineService, event, type Mesh, on, Reject, stream } from '@malha/mesh'
import { eventually } from '@malha/testing'
import { expect } from 'vitest'
import { z } from 'zod'
import type { NotifyOptions } from '../../src/index.ts'

const orders = stream('ORDERS', { subjects: ['order.>'] })
const placed = event('order.placed', { stream: orders, schema: z.object({ why: z.string() }) })

/** Gives up every order, with what it says. */
export const shop = defineService('shop', {
  handlers: { bill: on(placed, { startFrom: 'all' }, ({ why }) => Promise.reject(new Reject(why))) },
})

/** Orders that die, and waits for their letters. */
export async function lettersFor(mesh: Mesh, reasons: readonly string[]): Promise<void> {
  const before = await letterCount(mesh)
  await Promise.all(reasons.map((why) => mesh.publish(placed, { why })))
  await eventually(async () => expect(await letterCount(mesh)).toBe(before + reasons.length))
}

async function letterCount({ nats, names }: Mesh): Promise<number> {
  const info = await nats.request(`$JS.API.STREAM.INFO.${names.stream('DEAD_LETTERS')}`)
  return info.json<{ state: { messages: number } }>().state.messages
}

/** Quick, but for the quiet time. */
export const QUICK: Omit<NotifyOptions, 'url'> = { lookMs: 50, watchMs: 60_000, timeoutMs: 500, giveUpMs: 400 }
