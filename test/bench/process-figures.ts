import { readFile } from 'node:fs/promises'

/** Linux counts in hundredths of a second, whatever the kernel's own tick is (proc_pid_stat(5), fields 14 and 15). */
const TICK_US = 10_000

/** User and system time of another process so far, µs. */
export async function processCpuUs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_US
}

/** What of another process is in memory, MiB (proc_pid_status(5)). */
export async function processRssMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) / 1024
}
