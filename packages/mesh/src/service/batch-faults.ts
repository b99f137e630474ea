import { isWhole, isWithin, shown } from '../given.ts'
import type { Handler } from './define.ts'

/** How the messages of a batch handler are gathered. */
export type BatchSize = {
  readonly size: number
  readonly maxAgeMs: number
  /** The handler's function anew, with batches of its own: for each that runs the declaration. */
  // oxlint-disable-next-line typescript/no-explicit-any -- as HandlerDef.handle
  readonly gather: () => Handler<any>
}

/** What is wrong with it, one sentence each; none where there are no batches. */
export function batchFaults({
  batch,
  concurrency,
  timeoutMs,
}: {
  batch?: BatchSize
  concurrency: number
  timeoutMs: number
}): string[] {
  if (!batch) return []
  const { size, maxAgeMs } = batch
  const faults: string[] = []
  if (!isWhole(size, 1, 500)) faults.push(`size is ${shown(size)}; 1 to 500`)
  else if (isWithin(concurrency, 0) && concurrency < size)
    faults.push(`concurrency is ${concurrency}, so a batch of ${size} would never be full; at least size`)
  if (!isWithin(maxAgeMs, 0, 60_000)) faults.push(`maxAgeMs is ${shown(maxAgeMs)}; 0 to 60000`)
  else if (isWithin(timeoutMs, 0, maxAgeMs))
    faults.push(
      `maxAgeMs is ${maxAgeMs}, so messages would run out of time (${timeoutMs} ms) while they wait; less than timeoutMs`,
    )
  return faults
}
