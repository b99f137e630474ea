import { days, defineService, event, on, Reject, type ServiceDef, stream } from '@malha/mesh'
import { z } from 'zod'

const orders = stream('ORDERS', { subjects: ['order.>'], maxAgeMs: days(30) })

/** A step of an order: first it is paid, then sent. */
export const orderMoved = event('order.moved', {
  stream: orders,
  schema: z.object({ orderId: z.string(), step: z.enum(['paid', 'sent']) }),
  key: ({ orderId }) => orderId,
})

export type Ledger = { write(orderId: string, step: 'paid' | 'sent'): Promise<boolean> }

// #region service
export const bookkeeping = (ledger: Ledger): ServiceDef =>
  defineService('bookkeeping', {
    handlers: {
      book: on(orderMoved, { order: 'key', onDeadLetter: 'hold-key', startFrom: 'all' }, async ({ orderId, step }) => {
        // What was sent is not booked before what was paid: it waits behind that dead letter.
        if (!(await ledger.write(orderId, step))) throw new Reject(`no account for order ${orderId}`)
      }),
    },
  })
// #endregion
