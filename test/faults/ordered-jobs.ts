import { type Contract, defineService, event, hours, type ServiceDef, stream } from '@malha/mesh'
import { z } from 'zod'

/** The n-th step of a key, from 0. The first `failures` attempts at it fail. */
export const Step = z.object({ key: z.string(), n: z.number().int(), failures: z.number().int() })
export type Step = z.infer<typeof Step>

export const steps = stream('STEPS', {
  subjects: ['step.>'],
  maxAgeMs: hours(1),
  maxBytes: 512 * 1024 ** 2,
  partitions: 16,
})
export const taken: Contract<Step> = event('step.taken', { stream: steps, schema: Step, key: (step) => step.key })

/** Whoever publishes them. */
export const source: ServiceDef = defineService('source', { handlers: {}, publishes: [taken] })
