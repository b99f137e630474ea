import { defineService, event, on, Reject, type ServiceDef, stream } from '@malha/mesh'
import { z } from 'zod'

const payments = stream('PAYMENTS', { subjects: ['payment.>'] })

/** Texts that nobody may see. */
export const CARD = '4111-1111-1111-1111'
export const PIN = '0815-pin'

export const taken = event('payment.taken', {
  stream: payments,
  schema: z.object({
    id: z.string(),
    cents: z.int(),
    // What it says of a wrong one has it in it, as some do.
    card: z
      .string()
      .refine((card) => !card.startsWith('forged'), { error: ({ input }) => `${String(input)} is no card` })
      .meta({ sensitive: true }),
    pins: z.array(z.object({ of: z.string(), pin: z.string().meta({ sensitive: true }) })),
  }),
  key: ({ id }) => id,
})

/** Refuses every payment but those that it is to take. */
export function bank(onTaken: (payment: object) => void = () => undefined): ServiceDef {
  return defineService('bank', {
    handlers: {
      book: on(taken, { startFrom: 'all' }, (payment) => {
        if (payment.cents < 0) throw new Reject('it is negative')
        onTaken(payment)
      }),
    },
  })
}

export const payment = { id: 'p-1', cents: -5, card: CARD, pins: [{ of: 'a', pin: PIN }] }
