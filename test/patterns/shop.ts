import {
  type AnyContract,
  type Contract,
  defineService,
  type HandlerContext,
  on,
  type ServiceDef,
  untilBack,
} from '@malha/mesh'
import * as c from '../docs/how-to/saga/contracts.ts'

/** What the customer does. */
export type Customer = 'pays' | 'declines' | 'says-nothing'

/** The other side of the order saga: counts the effects of each command, by order and command, one a idempotency key. */
export type Shop = {
  readonly service: ServiceDef
  /** `<type> <order>` → keys under which it was asked for. */
  readonly effects: ReadonlyMap<string, ReadonlySet<string>>
}

export function shop(customerOf: (orderId: string) => Customer): Shop {
  const effects = new Map<string, Set<string>>()
  const effect = (contract: AnyContract, orderId: string, ctx: HandlerContext): void => {
    const name = `${contract.type} ${orderId}`
    effects.set(name, (effects.get(name) ?? new Set()).add(ctx.id))
  }
  const does = <In extends c.Ref>(asked: Contract<In>, done: (data: In) => Contract<c.Ref> | undefined) =>
    on(asked, { startFrom: 'all', retry: untilBack, ackWaitMs: 1_000 }, (data, ctx) => {
      effect(asked, data.orderId, ctx)
      const answer = done(data)
      if (answer) ctx.publish(answer, { orderId: data.orderId })
    })
  const pay = ({ orderId }: c.Order): Contract<c.Ref> | undefined => {
    const customer = customerOf(orderId)
    if (customer === 'pays') return c.paymentTaken
    return customer === 'declines' ? c.paymentDeclined : undefined
  }
  return {
    effects,
    service: defineService('shop', {
      publishes: [c.orderPlaced],
      handlers: {
        reserve: does(c.reserveStock, () => c.stockReserved),
        release: does(c.releaseStock, () => c.stockReleased),
        pay: does(c.takePayment, pay),
        refund: does(c.refundPayment, () => c.paymentRefunded),
        ship: does(c.shipParcel, () => c.parcelShipped),
      },
    }),
  }
}
