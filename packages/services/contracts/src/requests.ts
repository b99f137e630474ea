import { request } from '@malha/mesh'
import { z } from 'zod'
import { CenterId } from './center.ts'

const PartnerState = z.enum(['pending', 'waiting', 'failed', 'done'])

/** How far the onboarding of a centre is, by partner. */
export const CenterStatus = z.object({
  centerId: CenterId,
  status: z.enum(['registered', 'onboarding', 'onboarded', 'failed']),
  partners: z.object({ senninha: PartnerState, maas: PartnerState, dmitri: PartnerState }),
})
export type CenterStatus = z.infer<typeof CenterStatus>

/** For other services: `GET /centers/{id}` without HTTP. Answered by distribution-center, out of its read model. */
export const centerStatus = request('center.status', {
  schema: z.strictObject({ centerId: CenterId }),
  reply: CenterStatus,
  errors: { 'center.unknown': z.object({ centerId: CenterId }) },
  idempotent: true,
})
