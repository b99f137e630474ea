/** A process of a shop: bills orders and counts them. Not mended, it refuses every tenth. */
import { connectMesh, defineService, meshOptions, on, Reject } from '@malha/mesh'
import { billed, counted, placed } from './contracts.ts'

const isMended = process.env['MENDED'] === 'yes'

const shop = defineService('shop', {
  publishes: [billed, counted],
  handlers: {
    bill: on(placed, { startFrom: 'all', concurrency: 16 }, ({ n }, ctx) => {
      if (!isMended && n % 10 === 0) throw new Reject(`order ${n} has no price`)
      ctx.publish(billed, { n })
    }),
    count: on(placed, { startFrom: 'all', concurrency: 16 }, ({ n }, ctx) => ctx.publish(counted, { n })),
  },
})

await using mesh = await connectMesh(meshOptions(process.env))
await mesh.run(shop)
