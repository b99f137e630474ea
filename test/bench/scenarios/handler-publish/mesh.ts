import { billOrders } from '../../loads/bill-orders.ts'
import { serveVariant } from '../../variant.ts'

await serveVariant(billOrders())
