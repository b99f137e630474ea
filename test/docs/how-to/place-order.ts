import { type Mesh, publication, type Published } from '@malha/mesh'
import { type Order, orderPlaced, stockReserved } from './order-contracts.ts'

// #region place
/** An order is placed and its stock reserved, or neither. */
export async function placeOrder(mesh: Mesh, order: Order): Promise<Published[]> {
  return await mesh.publishAll([
    publication(orderPlaced, order, { id: `placed-${order.orderId}`, once: true }),
    publication(stockReserved, order, { id: `reserved-${order.orderId}` }),
  ])
}
// #endregion
