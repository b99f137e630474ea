import { event } from '@malha/mesh'
import { z } from 'zod'
import { consumeInBulk, publishInBulk } from '../../loads/bulk.ts'
import { type Order, orderOf, orders } from '../../orders.ts'
import { meshSide } from '../../sides/mesh.ts'
import { serveVariant } from '../../variant.ts'

const schema = z.object({
  orderId: z.string(),
  customerId: z.string(),
  placedAtUs: z.int(),
  amountCents: z.int(),
  note: z.string(),
})

const CHECKED = 20_000

await serveVariant(async (setup) => {
  const side = meshSide(event<Order>('order.placed', { stream: orders, schema }))
  const variant = await (setup.settings['end'] === 'consume' ? consumeInBulk : publishInBulk)(side)(setup)
  let validatorUs = 0
  return {
    ...variant,
    async prepare(round) {
      validatorUs = validatorAlone(setup.payloadBytes)
      await variant.prepare?.(round)
    },
    async run(...args) {
      return { ...(await variant.run(...args)), figures: { validatorUs } }
    },
  }
})

/** CPU of one call of the validator on what this scenario sends, in this process, µs. */
function validatorAlone(bytes: number): number {
  const orders = Array.from({ length: CHECKED }, (_, n) => orderOf(bytes)(n))
  const before = process.cpuUsage()
  for (const order of orders) void schema['~standard'].validate(order)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / CHECKED
}
