import { readdir } from 'node:fs/promises'
import { processRssMb } from '../../bench/process-figures.ts'
import type { ChaosProcess } from '../system.ts'

/** What a process has at a moment. */
export type Sample = {
  /** Ms since the load began. */
  atMs: number
  pid: number
  /** Resident memory. */
  rssMb: number
  /** Open files, sockets included. */
  handles: number
}

/** Of one process, in the order of time. */
export type Series = Pick<ChaosProcess, 'name' | 'kind'> & { samples: Sample[] }

export interface Sampling extends Disposable {
  readonly series: readonly Series[]
}

/** Looks at every process now and then. Needs the `/proc` of Linux. */
export function sampleProcesses(processes: readonly ChaosProcess[], everyMs = 10_000): Sampling {
  const startedAt = performance.now()
  const series = processes.map(({ name, kind }): Series => ({ name, kind, samples: [] }))
  const look = async (): Promise<void> => {
    const atMs = Math.round(performance.now() - startedAt)
    for (const [index, { pid }] of processes.entries()) {
      const seen = pid === undefined ? undefined : await lookAt(pid)
      if (seen) series[index]!.samples.push({ atMs, ...seen })
    }
  }
  const timer = setInterval(() => void look(), everyMs)
  return { series, [Symbol.dispose]: () => clearInterval(timer) }
}

/** Undefined where there is none. */
async function lookAt(pid: number): Promise<Omit<Sample, 'atMs'> | undefined> {
  try {
    const [rssMb, handles] = await Promise.all([processRssMb(pid), readdir(`/proc/${pid}/fd`)])
    return { pid, rssMb, handles: handles.length }
  } catch {
    return undefined
  }
}
