import { centerRegistered, type CenterRegistered, providerCreated, type ProviderSystem } from '@malha/contracts'
import {
  defineService,
  type HandlerContext,
  type HandlerDef,
  on,
  seconds,
  type ServiceDef,
  untilBack,
} from '@malha/mesh'
import type { PartnerClient } from '@malha/partner-client'
import { createMaasProvider } from './maas.ts'
import { type CallOptions, createSenninhaProvider } from './senninha.ts'

/** The HTTP API of each partner system. */
export type ProviderClients = Readonly<Record<ProviderSystem, PartnerClient>>

/**
 * Creates the provider of every registered centre at Senninha and at MaaS. Two handlers: each has its own durable, retries
 * and breaker, so that a partner that is away holds up nothing of the other.
 */
export function provider({ senninha, maas }: ProviderClients, version: string): ServiceDef {
  return defineService('provider', {
    version,
    handlers: {
      senninha: creates('senninha', (center, options) => createSenninhaProvider(senninha, center, options)),
      maas: creates('maas', (center, options) => createMaasProvider(maas, center, options)),
    },
    publishes: [providerCreated],
  })
}

type Create = (center: CenterRegistered, options: CallOptions) => Promise<string>

function creates(system: ProviderSystem, create: Create): HandlerDef {
  return on(
    centerRegistered,
    // Nothing here keeps the process busy for long, so what a killed one had in hand may come back soon.
    { retry: untilBack, concurrency: 16, ackWaitMs: seconds(15), startFrom: 'all' },
    async (center: CenterRegistered, ctx: HandlerContext) => {
      const providerId = await create(center, { idempotencyKey: ctx.id, signal: ctx.signal })
      // Once: a crash between this event and the ack may be followed by a restart long after the server forgot its id.
      ctx.publish(providerCreated, { centerId: center.centerId, system, providerId }, { once: true })
    },
  )
}
