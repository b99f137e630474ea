import { defineService, on, Reject, type ServiceDef } from '@malha/mesh'
import { billed, counted, placed } from './contracts.ts'

/** Bills orders and counts them. Not mended, it refuses every tenth. */
export const shopService = (isMended: boolean): ServiceDef =>
  defineService('shop', {
    publishes: [billed, counted],
    handlers: {
      bill: on(placed, { startFrom: 'all', concurrency: 16 }, ({ n }, ctx) => {
        if (!isMended && n % 10 === 0) throw new Reject(`order ${n} has no price`)
        ctx.publish(billed, { n })
      }),
      count: on(placed, { startFrom: 'all', concurrency: 16 }, ({ n }, ctx) => ctx.publish(counted, { n })),
    },
  })
