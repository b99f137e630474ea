import { type CenterRegistered, PartnerId } from '@malha/contracts'
import type { PartnerClient } from '@malha/partner-client'
import { z } from 'zod'

/** How a call is made: under which key, and for how long. */
export type CallOptions = { idempotencyKey: string; signal: AbortSignal }

const Created = z.object({ id: PartnerId })

/** Creates the provider of a centre at Senninha. @returns its id there */
export async function createSenninhaProvider(
  client: PartnerClient,
  center: CenterRegistered,
  options: CallOptions,
): Promise<string> {
  const { id } = await client.post({ path: '/providers', body: senninhaProvider(center), answer: Created, ...options })
  return id
}

/** A centre as Senninha wants it. */
export function senninhaProvider({ centerId, name, city, capacity }: CenterRegistered): object {
  return {
    centerId,
    name,
    city: { name: city.name, state: city.state, country: city.country },
    ...(capacity === undefined ? {} : { capacity }),
  }
}
