import { defineService, type Mesh, MeshError, type ServiceDef } from '@malha/mesh'
import { type Order, orderPlaced } from './order-contracts.ts'

// #region service
/** A service without handlers. It says what it publishes, so that the stream is there before the first event. */
export const shop: ServiceDef = defineService('shop', { handlers: {}, publishes: [orderPlaced] })
// #endregion

// #region publish
/** What an HTTP API answers. The id is made of the order's, so a repeated request stores nothing. */
export async function placeOrder(mesh: Mesh, order: Order): Promise<{ status: number; body: object }> {
  try {
    const { id, duplicate } = await mesh.publish(orderPlaced, order, { id: `${order.orderId}.placed` })
    return { status: duplicate ? 200 : 201, body: { id } }
  } catch (error) {
    if (!(error instanceof MeshError)) throw error
    if (error.code === 'MESH_INVALID_PAYLOAD') return { status: 400, body: { error: error.message } }
    if (error.code === 'MESH_ID_CONFLICT') return { status: 409, body: { error: error.code } }
    if (error.disposition === 'retry') return { status: 503, body: { error: error.code } }
    throw error
  }
}
// #endregion
