import { command, defineService, event, on, reply, request, type ServiceDef, stream, topic } from '@malha/mesh'
import { z } from 'zod'

const orders = stream('ORDERS', { subjects: ['order.>', 'invoice.>', 'parcel.>'], partitions: 4 })
type Node = { name: string; children: Node[] }
const Tree: z.ZodType<Node> = z.object({
  name: z.string(),
  get children() {
    return z.array(Tree)
  },
})

export const placed = event('order.placed', {
  stream: orders,
  schema: z.object({
    orderId: z.string().min(1).describe('of the shop'),
    total: z.number().int().positive(),
    currency: z.enum(['BRL', 'EUR']),
    at: z.tuple([z.number(), z.number()]).optional(),
    tree: Tree.optional(),
  }),
  key: ({ orderId }) => orderId,
})
const shipped = event('parcel.shipped', {
  stream: orders,
  schema: z.object({ parcel: z.string() }),
  key: ({ parcel }) => parcel.toLowerCase(),
})
const issue = command('invoice.issue', {
  stream: orders,
  schema: z.object({ orderId: z.string() }),
  priorities: true,
})
const quote = request('price.quote', {
  schema: z.object({ sku: z.string() }),
  reply: z.object({ cents: z.number() }),
  errors: { 'sku-unknown': z.object({ sku: z.string() }) },
})

export const billing: ServiceDef = defineService('billing', {
  version: '1.4.0',
  handlers: {
    bill: on(placed, { startFrom: 'all', order: 'key' }, () => undefined),
    issue: on(issue, { startFrom: 'all' }, () => undefined),
    watch: on(topic(orders, 'parcel.*'), { startFrom: 'all' }, () => undefined),
  },
  replies: { quote: reply(quote, () => ({ cents: 1 })) },
  publishes: [issue],
})
export const shop: ServiceDef = defineService('shop', { handlers: {}, publishes: [placed, shipped] })
