import { writeFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { StackError } from '../errors.ts'
import type { StackLog } from '../log.ts'
import { run } from './run.ts'

const FILE = 'pid'
const POLL_MS = 50

/** Notes who works in `dataDir`, for `predecessorGone`. The folder must stand in the command line of that process. */
export function notePid(dataDir: string, pid: number): void {
  writeFileSync(join(dataDir, FILE), `${pid}\n`)
}

/**
 * Waits until the process that worked in `dataDir` before has ended: after a kill of its parent that takes some seconds,
 * and two servers on one folder destroy what is in it (nats-server takes no lock).
 * @throws StackError `STACK_DIR_IN_USE` when it is still there after `waitMs`.
 */
export async function predecessorGone(
  dataDir: string,
  { what, log, waitMs = 10_000 }: { what: string; log: StackLog; waitMs?: number },
): Promise<void> {
  const pid = Number(await readFile(join(dataDir, FILE), 'utf8').catch(() => ''))
  if (!pid) return
  const deadline = Date.now() + waitMs
  for (let told = false; await worksIn(dataDir, pid); told = true) {
    if (!told) log(`waiting for the ${what} that used ${dataDir} before (pid ${pid}) to end`)
    if (Date.now() > deadline) {
      const detail = `${dataDir} is in use by another ${what} (pid ${pid}): end that one, or choose another data folder`
      throw new StackError('STACK_DIR_IN_USE', detail)
    }
    await sleep(POLL_MS)
  }
}

async function worksIn(dataDir: string, pid: number): Promise<boolean> {
  const line = await commandLine(pid)
  return line.includes(dataDir) || (line === '' && (await isEnding(pid)))
}

/** Empty when there is no such process, or what is left of one. */
async function commandLine(pid: number): Promise<string> {
  if (process.platform === 'linux') return readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  return run('ps', ['-o', 'args=', '-p', String(pid)], { timeoutMs: 5000 }).catch(() => '')
}

/** `PF_EXITING` of the kernel's include/linux/sched.h. */
const EXITING = 0x4

/**
 * Whether a process without a command line still holds files and ports: Linux takes the memory from a killed one first. It
 * is over when only its first thread is left, as a zombie nobody has waited for. A kernel thread has no command line either.
 */
async function isEnding(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  // proc_pid_stat(5): behind the name, which may hold anything, the state, five numbers and the flags.
  const [state, , , , , , flags] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (state !== 'Z') return (Number(flags) & EXITING) !== 0
  const threads = await readdir(`/proc/${pid}/task`).catch(() => [])
  return threads.length > 1
}
