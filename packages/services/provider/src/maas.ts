import { type CenterRegistered, PartnerId } from '@malha/contracts'
import type { PartnerClient } from '@malha/partner-client'
import { z } from 'zod'
import type { CallOptions } from './senninha.ts'

const Created = z.object({ providerId: PartnerId })

/** Creates the provider of a centre at MaaS. @returns its id there */
export async function createMaasProvider(
  client: PartnerClient,
  center: CenterRegistered,
  options: CallOptions,
): Promise<string> {
  const call = { path: '/api/v1/providers', body: maasProvider(center), answer: Created, ...options }
  return (await client.post(call)).providerId
}

/** A centre as MaaS wants it. */
export function maasProvider({ centerId, name, city, capacity }: CenterRegistered): object {
  return {
    externalId: centerId,
    displayName: name,
    location: { city: city.name, state: city.state, country: city.country },
    ...(capacity === undefined ? {} : { capacity }),
  }
}
