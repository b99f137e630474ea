import { type Contract, defineService, event, hours, seconds, type ServiceDef, stream } from '@malha/mesh'
import { z } from 'zod'

export const Job = z.object({ jobId: z.string(), n: z.number().int() })
export type Job = z.infer<typeof Job>

/** The window is short, so that a test can wait it out. */
export const jobs = stream('JOBS', {
  subjects: ['job.>'],
  duplicateWindowMs: seconds(2),
  maxAgeMs: hours(1),
  maxBytes: 256 * 1024 ** 2,
})
export const asked: Contract<Job> = event('job.asked', { stream: jobs, schema: Job, key: (job) => job.jobId })
export const finished: Contract<Job> = event('job.finished', { stream: jobs, schema: Job, key: (job) => job.jobId })
export const closed: Contract<Job> = event('job.closed', { stream: jobs, schema: Job, key: (job) => job.jobId })

/** Whoever asks for jobs. */
export const source: ServiceDef = defineService('source', { handlers: {}, publishes: [asked] })

/** Its window is over long before another takes what a killed process had in hand. */
const reminders = stream('REMINDERS', { subjects: ['reminder.>'], duplicateWindowMs: 100 })
export const reminded: Contract<Job> = event('reminder.due', {
  stream: reminders,
  schema: Job,
  key: (job) => job.jobId,
})
