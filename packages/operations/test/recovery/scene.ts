import { randomBytes } from 'node:crypto'
import { defineService, event, type Mesh, on, Reject, retry, seconds, type ServiceDef, stream } from '@malha/mesh'
import { z } from 'zod'

export const orders = stream('ORDERS', { subjects: ['order.>', 'bill.>'] })
const schema = z.object({ n: z.number() })
export const placed = event('order.placed', { stream: orders, schema, key: ({ n }) => `o-${n % 10}` })
const billed = event('bill.sent', { stream: orders, schema })
const marked = event('bill.marked', { stream: orders, schema })
/** Nobody handles it: it makes a stream large. */
const noted = event('order.noted', { stream: orders, schema: z.object({ text: z.string() }) })

/** A partner that counts how often it was called for an order, and under which idempotency keys. */
class Partner {
  readonly calls = new Map<number, number>()
  readonly keys = new Map<number, Set<string>>()
  call(n: number, key: string): void {
    this.calls.set(n, (this.calls.get(n) ?? 0) + 1)
    this.keys.set(n, (this.keys.get(n) ?? new Set()).add(key))
  }
  /** Calls for orders below a number. */
  count(below = Infinity): number {
    return [...this.calls].reduce((sum, [n, calls]) => sum + (n < below ? calls : 0), 0)
  }
}

export const partners = () => ({
  bill: new Partner(),
  once: new Partner(),
  mark: new Partner(),
  count: new Partner(),
  tell: new Partner(),
})
export type Partners = ReturnType<typeof partners>

/** A service with every kind of handler: orders that end in 9 become letters, those that end in 7 wait for a retry for a minute. */
export const shop = ({ bill, once, mark, count, tell }: Partners): ServiceDef =>
  defineService('shop', {
    handlers: {
      bill: on(placed, { startFrom: 'all' }, ({ n }, ctx) => {
        bill.call(n, ctx.id)
        if (n % 10 === 9) throw new Reject('no such customer')
        ctx.publish(billed, { n })
      }),
      once: on(placed, { startFrom: 'all', inbox: { keepMs: seconds(600) } }, ({ n }, ctx) => once.call(n, ctx.id)),
      mark: on(placed, { startFrom: 'all', effects: 'once' }, ({ n }, ctx) => {
        mark.call(n, ctx.id)
        ctx.publish(marked, { n })
      }),
      count: on(placed, { startFrom: 'all', order: 'key', ackWaitMs: 2_000 }, ({ n }, ctx) => count.call(n, ctx.id)),
      tell: on(
        placed,
        { startFrom: 'all', retry: retry({ minDelayMs: seconds(60), maxDelayMs: seconds(90) }) },
        ({ n }, ctx) => {
          tell.call(n, ctx.id)
          if (n % 10 === 7) throw new Error('the other side is away')
        },
      ),
    },
    publishes: [billed, marked, noted],
  })

/** Publishes orders, and handles none. */
export const seller: ServiceDef = defineService('seller', { handlers: {}, publishes: [placed] })

export const publish = async (mesh: Mesh, from: number, to: number): Promise<void> => {
  for (let n = from; n < to; n++) await mesh.publish(placed, { n })
}

/** So many events of four kilobytes that cannot be made smaller. */
export const note = async (mesh: Mesh, count: number): Promise<void> => {
  for (let n = 0; n < count; n += 100)
    await Promise.all(
      Array.from({ length: 100 }, () => mesh.publish(noted, { text: randomBytes(3000).toString('base64') })),
    )
}
