import { setTimeout as sleep } from 'node:timers/promises'
import {
  defineService,
  event,
  type HandlerOptions,
  type Mesh,
  on,
  onBatch,
  Reject,
  type ServiceDef,
  stream,
} from '@malha/mesh'
import { z } from 'zod'

export const orders = stream('ORDERS', { subjects: ['order.>'], maxBytes: 64 * 1024 ** 2 })
export const placed = event('order.placed', {
  stream: orders,
  schema: z.object({ n: z.number() }),
  key: ({ n }) => `o-${n % 16}`,
})

/** What was handled, by whom, in the order in which it was begun; and how many are under way. */
export type Book = {
  begun: { n: number; by: string; attempt: number }[]
  done: number[]
  running: number
  peak: number
}

export const newBook = (): Book => ({ begun: [], done: [], running: 0, peak: 0 })

/** A service whose handler `bill` takes a few milliseconds for each order. */
export function shop(
  book: Book,
  {
    by = 'a',
    ms = 5,
    failsFirst = false,
    rejects = false,
    ...options
  }: HandlerOptions & { by?: string; ms?: number; failsFirst?: boolean; rejects?: boolean } = {},
): ServiceDef {
  const bill = on(placed, { startFrom: 'all', ...options }, async ({ n }, { attempt }) => {
    book.begun.push({ n, by, attempt })
    book.peak = Math.max(book.peak, ++book.running)
    await sleep(ms)
    book.running--
    if (rejects) throw new Reject('not now')
    if (failsFirst && attempt === 1) throw new Error('not the first time')
    book.done.push(n)
  })
  return defineService('shop', { handlers: { bill } })
}

/** The same in batches. */
export function bulkShop(book: Book): ServiceDef {
  const bill = onBatch(placed, { startFrom: 'all', order: 'none', size: 10, maxAgeMs: 50 }, async (batch) => {
    book.begun.push(...batch.map(({ data: { n }, attempt }) => ({ n, by: 'a', attempt })))
    await sleep(5)
    book.done.push(...batch.map(({ data: { n } }) => n))
  })
  return defineService('shop', { handlers: { bill } })
}

/** Orders from `from` up to and without `to`. */
export async function place(mesh: Mesh, from: number, to: number): Promise<void> {
  await Promise.all(Array.from({ length: to - from }, (_, index) => mesh.publish(placed, { n: from + index })))
}

export const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, n) => from + n)
