import { connectMesh, event, type Mesh, MeshError, type MeshOptions, stream } from '@malha/mesh'
import { z } from 'zod'

const orders = stream('ORDERS', { subjects: ['order.>'] })
export const orderPlaced = event('order.placed', {
  stream: orders,
  schema: z.object({ orderId: z.string(), cents: z.number().int() }),
  key: (order) => order.orderId,
})

// #region connect
/** Starts whether the broker is there or not. `file` is this process's own, on a local disk. */
export function connectWithSpool(options: MeshOptions, file: string): Promise<Mesh> {
  return connectMesh({ ...options, spool: { file, maxBytes: 64 * 1024 ** 2 } })
}
// #endregion

// #region publish
export type Answer = { status: number; body: object; retryAfterS?: number }

/** What an HTTP handler answers. The id makes a repeat of the request harmless. */
export async function placeOrder(mesh: Mesh, orderId: string, cents: number): Promise<Answer> {
  try {
    const { queued } = await mesh.publish(orderPlaced, { orderId, cents }, { id: `${orderId}.placed` })
    return { status: 202, body: { orderId, ...(queued && { queued }) } }
  } catch (error) {
    if (error instanceof MeshError && error.disposition === 'retry')
      return { status: 503, body: { error: error.code }, retryAfterS: 1 }
    throw error
  }
}
// #endregion
