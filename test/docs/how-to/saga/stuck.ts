import type { Saga } from '@malha/patterns'
import type { OrderState } from './order-saga.ts'

// #region stuck
/** One line a saga that has not moved for too long, the longest first. */
export async function stuckOrders(orders: Saga<OrderState>): Promise<string[]> {
  const stuck = await orders.listStuck()
  return stuck.map(
    ({ id, state, lastEvent, forMs }) =>
      `${id} waits for ${state?.waitsFor} since ${lastEvent.type} of ${lastEvent.at}, ${Math.round(forMs / 60_000)} min`,
  )
}
// #endregion
