import { z } from 'zod'
import { text } from './text.ts'

/** A centre's id: also the key of its events, hence only characters that a NATS subject takes as they are. */
export const CenterId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'takes A-Z, a-z, 0-9, _ and -, 1 to 64 of them')

/** A city as people write it, in any script. `geonameId` is its number at GeoNames. */
export const City = z.strictObject({
  name: text(200),
  state: text(200),
  country: text(100),
  geonameId: z.int().positive().optional(),
})
export type City = z.infer<typeof City>

/** What a client says of a distribution centre. `capacity` is in pallets. */
export const Center = z.strictObject({
  name: text(200),
  city: City,
  address: text(500).optional(),
  capacity: z.int().nonnegative().max(1_000_000_000).optional(),
})
export type Center = z.infer<typeof Center>

/** The partner systems that create a provider for a centre. */
export const providerSystems = ['senninha', 'maas'] as const
export type ProviderSystem = (typeof providerSystems)[number]

/** All partner systems a centre waits for; dmitri registers its city. */
export const partnerSystems = [...providerSystems, 'dmitri'] as const
export type PartnerSystem = (typeof partnerSystems)[number]

/** An id as a partner system gave it. */
export const PartnerId = text(200)
