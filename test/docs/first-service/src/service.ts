import { centerOnboarded } from '@malha/contracts'
import { defineService, on, responseError, type ServiceDef, untilBack } from '@malha/mesh'
import { welcomeSent } from './contracts.ts'

/** Has a letter printed for every centre that was onboarded. `printShop` is the address of the shop's API. */
export function welcome(printShop: string): ServiceDef {
  return defineService('welcome', {
    publishes: [welcomeSent],
    handlers: {
      letter: on(centerOnboarded, { startFrom: 'all', retry: untilBack }, async ({ centerId }, ctx) => {
        const answer = await fetch(`${printShop}/letters`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'idempotency-key': ctx.id },
          body: JSON.stringify({ centerId }),
          signal: ctx.signal,
        })
        await answer.body?.cancel()
        if (!answer.ok) throw responseError(answer)
        ctx.publish(welcomeSent, { centerId })
        ctx.log.info({ centerId }, 'letter printed')
      }),
    },
  })
}
