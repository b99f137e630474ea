import { Socket } from 'node:net'
import type { RecordableHistogram } from 'node:perf_hooks'
import { GCProfiler, getHeapStatistics } from 'node:v8'
import type { Latency, PartRound } from './protocol.ts'
import type { Outcome } from './variant.ts'

let writes = 0

/** From now on writes to TCP sockets are counted: what a stream hands over at once is one write of the system. */
export function countSocketWrites(): void {
  for (const method of ['_write', '_writev'] as const) {
    const write = Reflect.get(Socket.prototype, method) as (...args: unknown[]) => void
    Reflect.set(Socket.prototype, method, function (this: Socket, ...args: unknown[]) {
      writes++
      write.apply(this, args)
    })
  }
}

/** Runs the timed part of a round and measures this process around it, or from `begin()` on. */
export async function measured(run: (begin: () => void) => Promise<Outcome>): Promise<PartRound> {
  globalThis.gc?.()
  let sinceBegin = startMeasuring()
  const outcome = await run(() => (sinceBegin = startMeasuring()))
  const latency = latencyOf(outcome.latency)
  const { messages, figures = {} } = outcome
  return { messages, ...sinceBegin(), ...(latency && { latency }), figures }
}

type Measured = Omit<PartRound, 'messages' | 'latency' | 'figures'>

function startMeasuring(): () => Measured {
  const allocated = countAllocated()
  const writesBefore = writes
  const startedAt = monotonicMs()
  const cpuBefore = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(cpuBefore)
    const endedAt = monotonicMs()
    return {
      startedAt,
      endedAt,
      cpuUs: user + system,
      rssMb: process.memoryUsage.rss() / 1024 ** 2,
      socketWrites: writes - writesBefore,
      allocatedBytes: allocated(),
    }
  }
}

/** The clock that all processes of a machine share, ms. */
const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6

/** The same clock in whole µs. */
export const monotonicUs = (): number => Number(process.hrtime.bigint() / 1000n)

/** Adds up how much the heap grew between collections, and since the last one. */
export function countAllocated(): () => number {
  const collections = new GCProfiler()
  const used = (): number => getHeapStatistics().used_heap_size
  collections.start()
  let before = used()
  return () => {
    const now = used()
    let grown = 0
    for (const { beforeGC, afterGC } of collections.stop()?.statistics ?? []) {
      grown += beforeGC.heapStatistics.usedHeapSize - before
      before = afterGC.heapStatistics.usedHeapSize
    }
    return grown + now - before
  }
}

function latencyOf(histogram: RecordableHistogram | undefined): Latency | undefined {
  if (histogram === undefined || histogram.count === 0) return undefined
  const ms = (ns: number): number => ns / 1e6
  const { mean, max } = histogram
  return {
    p50Ms: ms(histogram.percentile(50)),
    p99Ms: ms(histogram.percentile(99)),
    meanMs: ms(mean),
    maxMs: ms(max),
  }
}
