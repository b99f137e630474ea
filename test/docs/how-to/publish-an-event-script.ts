import { connectMesh, meshOptions } from '@malha/mesh'
import { orderPlaced } from './order-contracts.ts'
import { shop } from './publish-an-event.ts'

await using mesh = await connectMesh(meshOptions(process.env))
await mesh.provision(shop)
const { stream, seq } = await mesh.publish(orderPlaced, { orderId: 'o-1', cents: 990 })
console.log(`order.placed is number ${seq} of ${stream}`)
