import { readFileSync } from 'node:fs'

export type Memory = {
  /** The most that the kernel saw of it in memory at once, MiB (VmHWM of proc_pid_status(5)). */
  readonly peakMb: number
  /** Ms since it was first looked at, and what of it was in memory then, MiB. */
  readonly series: readonly (readonly [atMs: number, mb: number])[]
}

const EVERY_MS = 100

/** Looks at a process ten times a second, until it ends or is no longer to be watched. */
export function watchMemory(pid: number): Disposable & { readonly memory: Memory } {
  const series: [number, number][] = []
  const startedAt = performance.now()
  let peakMb = 0
  const look = (): void => {
    let status: string
    try {
      status = readFileSync(`/proc/${pid}/status`, 'utf8')
    } catch {
      return
    }
    const of = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0) / 1024
    peakMb = Math.max(peakMb, of('VmHWM'))
    series.push([Math.round(performance.now() - startedAt), Math.round(of('VmRSS'))])
  }
  const timer = setInterval(look, EVERY_MS)
  return {
    get memory() {
      return { peakMb: Math.round(peakMb), series: [...series] }
    },
    [Symbol.dispose]: () => clearInterval(timer),
  }
}
