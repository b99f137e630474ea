// #region saga
import { minutes } from '@malha/mesh'
import { begins, saga, type SagaDef, send, step, timedOut, undone } from '@malha/patterns'
import * as c from './contracts.ts'

export type OrderState = { order: c.Order; waitsFor: 'stock' | 'payment' | 'parcel' | 'nothing' }

/** @param payWithinMs how long a customer may take to pay, ms */
export const orderSaga = (payWithinMs: number = minutes(10)): SagaDef<OrderState> =>
  saga<OrderState>('order', {
    sends: [c.reserveStock, c.releaseStock, c.takePayment, c.refundPayment, c.shipParcel],
    timeout: c.orderTimedOut,
    stuckAfterMs: minutes(15),
    steps: {
      placed: begins(c.orderPlaced, (order) => ({
        state: { order, waitsFor: 'stock' },
        send: [send(c.reserveStock, order)],
      })),
      reserved: step(
        c.stockReserved,
        (state) => ({
          state: { ...state, waitsFor: 'payment' },
          send: [send(c.takePayment, state.order)],
          timeouts: { payment: payWithinMs },
        }),
        { undo: ({ orderId }) => send(c.releaseStock, { orderId }) },
      ),
      released: undone(c.stockReleased, 'reserved'),
      paid: step(
        c.paymentTaken,
        (state, { orderId }) => ({
          state: { ...state, waitsFor: 'parcel' },
          send: [send(c.shipParcel, { orderId })],
          timeouts: { payment: null },
        }),
        { undo: ({ orderId }) => send(c.refundPayment, { orderId }) },
      ),
      refunded: undone(c.paymentRefunded, 'paid'),
      declined: step(c.paymentDeclined, (state) => ({ state, compensate: 'declined' })),
      shipped: step(c.parcelShipped, (state) => ({ state: { ...state, waitsFor: 'nothing' }, end: 'shipped' })),
      'payment-late': timedOut('payment', (state) => ({ state, compensate: 'unpaid' })),
    },
  })
// #endregion
