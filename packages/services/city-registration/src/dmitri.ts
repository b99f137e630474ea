import { type CenterRegistered, PartnerId } from '@malha/contracts'
import type { PartnerClient } from '@malha/partner-client'
import { z } from 'zod'

/** How a call is made: under which key, and for how long. */
export type CallOptions = { idempotencyKey: string; signal: AbortSignal }

const Registered = z.object({ registrationId: PartnerId })

/** Registers the city of a centre at dmitri. @returns the id of the registration */
export async function registerCity(
  client: PartnerClient,
  center: CenterRegistered,
  options: CallOptions,
): Promise<string> {
  const call = { path: '/cities', body: dmitriCity(center), answer: Registered, ...options }
  return (await client.post(call)).registrationId
}

/** The city of a centre as dmitri wants it. */
export function dmitriCity({ centerId, city }: CenterRegistered): object {
  return {
    centerId,
    name: city.name,
    state: city.state,
    country: city.country,
    ...(city.geonameId === undefined ? {} : { geonameId: city.geonameId }),
  }
}
