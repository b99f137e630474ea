import { centerRegistered, cityRegistered } from '@malha/contracts'
import { defineService, on, seconds, type ServiceDef, untilBack } from '@malha/mesh'
import type { PartnerClient } from '@malha/partner-client'
import { registerCity } from './dmitri.ts'

/** Registers the city of every registered centre at dmitri. */
export function cityRegistration(dmitri: PartnerClient, version: string): ServiceDef {
  return defineService('city-registration', {
    version,
    handlers: {
      // Nothing here keeps the process busy for long, so what a killed one had in hand may come back soon.
      dmitri: on(
        centerRegistered,
        { retry: untilBack, concurrency: 16, ackWaitMs: seconds(15), startFrom: 'all' },
        async (center, ctx) => {
          const registrationId = await registerCity(dmitri, center, { idempotencyKey: ctx.id, signal: ctx.signal })
          // Once: a crash between this event and the ack may be followed by a restart long after the server forgot its id.
          ctx.publish(cityRegistered, { centerId: center.centerId, registrationId }, { once: true })
        },
      ),
    },
    publishes: [cityRegistered],
  })
}
