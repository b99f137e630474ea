import { defineService, event, type Mesh, on, Reject, type ServiceDef, stream } from '@malha/mesh'
import { eventually } from '@malha/testing'
import { z } from 'zod'
import { openOperations } from '@malha/operations'

const orders = stream('ORDERS', { subjects: ['order.>'] })

export const placed = event('order.placed', {
  stream: orders,
  schema: z.object({ n: z.string(), why: z.string() }),
  key: ({ n }) => n,
})

/** Refuses every order, with what it says; mended, none. */
export function shop({
  isMended = false,
  onBilled,
}: { isMended?: boolean; onBilled?: (n: string, why: string) => void } = {}): ServiceDef {
  return defineService('shop', {
    version: '1.4.2',
    handlers: {
      bill: on(placed, { startFrom: 'all' }, ({ n, why }) => {
        if (!isMended) throw new Reject(why)
        onBilled?.(n, why)
      }),
    },
  })
}

/** Orders that the shop has given up, one a reason. */
export async function withDeadOrders(mesh: Mesh, reasons: readonly string[]): Promise<void> {
  const refusing = await mesh.start(shop())
  for (const [index, why] of reasons.entries()) await mesh.publish(placed, { n: `o-${index + 1}`, why })
  using operations = await openOperations(mesh)
  await eventually(async () => {
    await operations.letters.refresh()
    return operations.letters.list().total === reasons.length
  })
  await refusing.stop()
}
