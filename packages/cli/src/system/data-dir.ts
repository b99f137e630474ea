import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { CliError } from '../cli-error.ts'
import { isRunning } from './is-running.ts'

/** Where a system keeps its state: a folder of its own for each part, and `logs`. */
export interface DataDir extends AsyncDisposable {
  readonly path: string
  /** Whether a run before ended without cleaning up: killed, or the machine went down. */
  readonly afterCrash: boolean
  /** The folder of one part, created. */
  folder(name: string): Promise<string>
  /** A temporary one is not removed at the end, so that somebody can look into it. Returns its path. */
  keep(): string
}

const LOCK = 'malha.lock'

type Holder = { pid: number; started: string }

/**
 * Takes a data directory for this process; without `path`, a temporary one that is removed at the end.
 * @throws CliError CLI_DATA_IN_USE while another process has it
 */
export async function openDataDir(path?: string): Promise<DataDir> {
  const dir = path === undefined ? await mkdtemp(join(tmpdir(), 'malha-')) : resolve(path)
  await mkdir(dir, { recursive: true })
  const lock = join(dir, LOCK)
  const left = await readFile(lock, 'utf8').catch(noFile)
  const holder = left === undefined ? undefined : readHolder(left)
  if (holder && isAlive(holder))
    throw new CliError(
      'CLI_DATA_IN_USE',
      `${dir} is in use by process ${holder.pid}: stop that one, or give another --data`,
    )
  let removed = path === undefined ? dir : lock
  await writeFile(lock, JSON.stringify({ pid: process.pid, started: startOf(process.pid) } satisfies Holder))
  return {
    path: dir,
    afterCrash: left !== undefined,
    async folder(name) {
      const folder = join(dir, name)
      await mkdir(folder, { recursive: true })
      return folder
    },
    keep() {
      removed = lock
      return dir
    },
    async [Symbol.asyncDispose]() {
      await rm(removed, { recursive: true, force: true, maxRetries: 3 })
    },
  }
}

function noFile(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}

/** A file that a crash left half written names nobody. */
function readHolder(text: string): Holder | undefined {
  try {
    return JSON.parse(text) as Holder
  } catch {
    return undefined
  }
}

/** A pid alone may have been given to somebody else since; with its start time it cannot. */
const isAlive = ({ pid, started }: Holder): boolean => isRunning(pid) && startOf(pid) === started

/** When a process started, in the kernel's ticks (proc_pid_stat(5), field 22); empty where there is no /proc. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}
