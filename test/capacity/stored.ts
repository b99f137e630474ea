import { defineService, event, hours, on, Reject, retry, stream } from '@malha/mesh'
import { eventually } from '@malha/testing'
import type { JetStreamManager } from '@nats-io/jetstream'
import { type Kind, type Order, orderBilled, publishOrders, tracing } from './orders.ts'
import { orderOf } from './payloads.ts'
import { startServer } from './servers.ts'

const COUNT = 500
const BYTES = 700

/** What is stored beside a payload, bytes a message, by the name of its constant. */
export async function measureStored(): Promise<Record<string, number>> {
  const plain = await overhead({ keyed: false, traced: false })
  const keyed = await overhead({ keyed: true, traced: false })
  const traced = await overhead({ keyed: false, traced: true })
  return { eventBytes: plain, keyBytes: keyed - plain, traceBytes: traced - plain, ...(await measureOwn(COUNT)) }
}

async function overhead(kind: Kind): Promise<number> {
  using _tracing = kind.traced ? tracing() : undefined
  await using server = await startServer()
  await server.mesh.provision(defineService('shop', { handlers: {}, publishes: [orderBilled] }))
  await publishOrders(server.mesh, { ...kind, bytes: BYTES, count: COUNT })
  return (await meanBytes(server.jsm, 'ORDERS')) - BYTES
}

/** What the mesh itself stores of events that have a key and a trace: letters, copies that wait, markers, records of inboxes. */
export async function measureOwn(
  count: number,
): Promise<Record<'letterBytes' | 'laneBytes' | 'delayBytes' | 'markerBytes' | 'inboxBytes', number>> {
  using _tracing = tracing()
  await using server = await startServer()
  const { mesh, jsm } = server
  const bills = stream('BILLS', { subjects: ['bill.>'] })
  const billMade = event<Order>('bill.made', { stream: bills, schema: orderBilled.schema })
  const kind = { startFrom: 'all' } as const
  const inAnHour = retry({ minDelayMs: hours(1), maxDelayMs: hours(1) })
  const handlers = {
    reject: on(orderBilled, kind, ({ orderId }) => {
      throw new Reject(`order ${orderId} has no price`)
    }),
    later: on(orderBilled, { ...kind, retry: inAnHour }, () => {
      throw new Error('the partner is away')
    }),
    kept: on(orderBilled, { ...kind, inbox: { keepMs: hours(2) } }, () => {}),
    once: on(orderBilled, { ...kind, effects: 'once' }, (order, ctx) => ctx.publish(billMade, order)),
  }
  const running = await mesh.start(defineService('shop', { handlers, publishes: [billMade] }))
  await publishOrders(mesh, { keyed: true, traced: true, bytes: BYTES, count })
  const order = orderOf(BYTES)
  for (let n = 0; n < count; n++) await mesh.publish(orderBilled, order(n) as Order, { deliverIn: hours(1) })
  await eventually(
    async () => {
      // Of those that wait some are enough: the breaker opens, and no more are begun.
      const wanted = { DEAD_LETTERS: count, LANES_SHOP: 10, DELAYS: count, BILLS: 2 * count, KV_MESH_INBOX: count }
      for (const [name, least] of Object.entries(wanted))
        if ((await jsm.streams.info(name)).state.messages < least) throw new Error(`${name} is not full yet`)
    },
    { timeoutMs: 60_000 },
  )
  await running.stop()
  await jsm.streams.purge('BILLS', { filter: 'bill.>' })
  return {
    letterBytes: (await meanBytes(jsm, 'DEAD_LETTERS')) - BYTES,
    laneBytes: (await meanBytes(jsm, 'LANES_SHOP')) - BYTES,
    delayBytes: (await meanBytes(jsm, 'DELAYS')) - BYTES,
    markerBytes: await meanBytes(jsm, 'BILLS'),
    inboxBytes: await meanBytes(jsm, 'KV_MESH_INBOX'),
  }
}

async function meanBytes(jsm: JetStreamManager, name: string): Promise<number> {
  const { state } = await jsm.streams.info(name)
  return Math.round(state.bytes / state.messages)
}
