import { type Contract, days, event, stream } from '@malha/mesh'
import { z } from 'zod'

/** What every message of the load says. `n`: its number among those of its type, or of its key. */
export const Load = z.object({ n: z.int(), key: z.string().optional(), text: z.string() })
export type Load = z.infer<typeof Load>

const streamOptions = { maxAgeMs: days(14), maxBytes: 16 * 1024 ** 3 }
export const load = stream('LOAD', { subjects: ['load.>'], ...streamOptions })
/** A stream of its own, so that order by key does not read past everything else. */
const steps = stream('STEPS', { subjects: ['step.>'], ...streamOptions })

const plain = (type: string): Contract<Load> => event(type, { stream: load, schema: Load })

export const noted: Contract<Load> = plain('load.noted')
export const ordered: Contract<Load> = plain('load.ordered')
/** What is published for each `load.ordered`. */
export const billed: Contract<Load> = plain('load.billed')
export const charged: Contract<Load> = plain('load.charged')
export const doubted: Contract<Load> = plain('load.doubted')
export const failed: Contract<Load> = plain('load.failed')
export const reminded: Contract<Load> = plain('load.reminded')
/** Published with a spool. */
export const filed: Contract<Load> = plain('load.filed')
export const taken: Contract<Load> = event('step.taken', { stream: steps, schema: Load, key: ({ key = '' }) => key })
