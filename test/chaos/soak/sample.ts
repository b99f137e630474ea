import { readdir, readFile } from 'node:fs/promises'
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
  threads: number
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
    const [status, handles] = await Promise.all([readFile(`/proc/${pid}/status`, 'utf8'), readdir(`/proc/${pid}/fd`)])
    const value = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1])
    return { pid, rssMb: value('VmRSS') / 1024, handles: handles.length, threads: value('Threads') }
  } catch {
    return undefined
  }
}
