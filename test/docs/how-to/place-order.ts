import { type Mesh, publication, type Published, subjectOf } from '@malha/mesh'
import { type Order, orderBilled, orderPlaced, stockReserved } from './order-contracts.ts'

// #region place
/** An order is placed and its stock reserved, or neither. */
export async function placeOrder(mesh: Mesh, order: Order): Promise<Published[]> {
  return await mesh.publishAll([
    publication(orderPlaced, order, { id: `placed-${order.orderId}`, once: true }),
    publication(stockReserved, order, { id: `reserved-${order.orderId}` }),
  ])
}
// #endregion

// #region expect
/** Bills an order only if no event `order.…` of it came after `lastSeq`, the sequence of the last one that was read. */
export async function billUnchanged(mesh: Mesh, order: Order, lastSeq: number): Promise<Published> {
  const subjects = subjectOf(orderBilled, order.orderId).replace('order.billed', 'order.*')
  return await mesh.publish(orderBilled, order, { expect: { lastSeq, subjects } })
}
// #endregion
