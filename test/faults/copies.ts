import { type Contract, event, hours, stream } from '@malha/mesh'
import { Job } from './jobs.ts'

const limits = { maxAgeMs: hours(1), maxBytes: 256 * 1024 ** 2 }
const ofJob = { schema: Job, key: (job: Job): string => job.jobId }

export const originals = stream('ORIGINALS', { subjects: ['original.>'], ...limits })
/** Its window is short: ids alone would let a second run be stored. */
export const copies = stream('COPIES', { subjects: ['copy.>'], duplicateWindowMs: 200, ...limits })
export const drawn: Contract<Job> = event('original.drawn', { stream: originals, ...ofJob })
export const copied: Contract<Job> = event('copy.made', { stream: copies, ...ofJob })
export const filed: Contract<Job> = event('copy.filed', { stream: copies, ...ofJob })
