import type { Operations } from '@malha/operations'
import type { Guard } from '../access/guard.ts'
import type { IndexReader } from '../live/index-reader.ts'
import type { Live } from '../live/live.ts'
import type { Sampler } from '../looks/sampler.ts'
import type { RunWorkers } from '../live/run-workers.ts'
import type { ResolvedOptions } from '../options.ts'

/** What the routes work with. */
export type ApiDeps = {
  options: ResolvedOptions
  operations: Operations
  reader: IndexReader
  workers: RunWorkers
  live: Live
  sampler: Sampler
  guard: Guard
}
