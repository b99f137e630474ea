import { event } from '@malha/mesh'
import { z } from 'zod'
import { Center, CenterId, PartnerId, providerSystems } from './center.ts'
import { centers, partners } from './streams.ts'

/** When it happened is in the envelope (`ce-time`): two tellings of one fact must have the same bytes. */
export const CenterRegistered = z.strictObject({ centerId: CenterId, ...Center.shape })
export type CenterRegistered = z.infer<typeof CenterRegistered>

/** A centre exists. Published `once` by centre, so the stream is the store of idempotency. */
export const centerRegistered = event('center.registered', {
  stream: centers,
  schema: CenterRegistered,
  key: (data) => data.centerId,
})

export const CenterOnboarded = z.strictObject({ centerId: CenterId })
export type CenterOnboarded = z.infer<typeof CenterOnboarded>

/** Every partner has done its part. Published `once` by centre. */
export const centerOnboarded = event('center.onboarded', {
  stream: centers,
  schema: CenterOnboarded,
  key: (data) => data.centerId,
})

export const ProviderCreated = z.strictObject({
  centerId: CenterId,
  system: z.enum(providerSystems),
  providerId: PartnerId,
})
export type ProviderCreated = z.infer<typeof ProviderCreated>

/** A partner system has a provider for the centre. A centre gets one from each system, so `once` needs both in the key. */
export const providerCreated = event('provider.created', {
  stream: partners,
  schema: ProviderCreated,
  key: (data) => `${data.centerId}-${data.system}`,
})

export const CityRegistered = z.strictObject({ centerId: CenterId, registrationId: PartnerId })
export type CityRegistered = z.infer<typeof CityRegistered>

/** dmitri has registered the centre's city. Published `once` by centre. */
export const cityRegistered = event('city.registered', {
  stream: partners,
  schema: CityRegistered,
  key: (data) => data.centerId,
})
