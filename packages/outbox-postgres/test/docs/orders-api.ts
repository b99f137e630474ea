import { defineService, event, type Mesh, stream } from '@malha/mesh'
import { migrateOutbox, outbox, relayOutbox, type RunningRelay } from '@malha/outbox-postgres'
import type { Kysely } from 'kysely'
import type pg from 'pg'
import { z } from 'zod'

const orders = stream('ORDERS', { subjects: ['order.>'] })
const OrderPlaced = z.object({ orderId: z.string(), total: z.number().positive() })
export const orderPlaced = event('order.placed', { stream: orders, schema: OrderPlaced, key: (o) => o.orderId })

// #region pg
export async function placeOrder(pool: pg.Pool, order: z.infer<typeof OrderPlaced>): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    await client.query('INSERT INTO orders (id, total) VALUES ($1, $2)', [order.orderId, order.total])
    await outbox.add(client, orderPlaced, order)
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  } finally {
    client.release()
  }
}
// #endregion

export type Database = { orders: { id: string; total: number } }

// #region kysely
export async function placeOrderWithKysely(db: Kysely<Database>, order: z.infer<typeof OrderPlaced>): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await trx.insertInto('orders').values({ id: order.orderId, total: order.total }).execute()
    await outbox.add(trx, orderPlaced, order)
  })
}
// #endregion

// #region relay
export async function startRelay(mesh: Mesh, pool: pg.Pool): Promise<RunningRelay> {
  await migrateOutbox(pool)
  await mesh.provision(defineService('orders-api', { handlers: {}, publishes: [orderPlaced] }))
  return relayOutbox(mesh, pool)
}
// #endregion
