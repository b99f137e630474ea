import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readdir, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { isRunning } from '../system/is-running.ts'

const run = promisify(execFile)

/** A file system in memory on Linux; in a container it may be small, or no programs may be started from it. */
const MEMORY = '/dev/shm'
/** Of tmpfs (statfs(2)). */
const TMPFS = 0x01_02_19_94
const PREFIX = 'malha-tests-'
/** What tests that run at once have there, and as much again. */
const LEAST_ROOM_BYTES = 4 * 1024 ** 3
/** That, and what the tests themselves need. */
const LEAST_MEMORY_BYTES = 10 * 1024 ** 3

export type MemoryFolder = AsyncDisposable & {
  /** Undefined where there is none to be had. */
  readonly path: string | undefined
}

/**
 * A folder in memory, for what the servers of tests write and nobody reads again: a fifth of what a test run takes is the making, syncing and removing of
 * such files. That a process is killed does not lose them; tests of what a lost machine loses have disks of their own. There is none where `TMPDIR` says
 * where to write, or memory is short.
 */
export async function memoryFolder(env: NodeJS.ProcessEnv = process.env): Promise<MemoryFolder> {
  const path = env['TMPDIR'] ? undefined : await make().catch(() => undefined)
  return {
    path,
    async [Symbol.asyncDispose]() {
      if (path) await rm(path, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

async function make(): Promise<string | undefined> {
  const { type, bsize, bavail } = await statfs(MEMORY)
  if (type !== TMPFS || bsize * bavail < LEAST_ROOM_BYTES) return undefined
  if (process.availableMemory() < LEAST_MEMORY_BYTES) return undefined
  await removeLeft()
  const path = await mkdtemp(join(MEMORY, `${PREFIX}${process.pid}-`))
  try {
    // Some tests start programs as another user.
    await chmod(path, 0o755)
    const program = join(path, 'program')
    await writeFile(program, '#!/bin/sh\n', { mode: 0o755 })
    await run(program)
    await rm(program)
    return path
  } catch {
    await rm(path, { recursive: true, force: true })
    return undefined
  }
}

/** Of runs that were killed: nothing else would give that memory back before the machine is started anew. */
async function removeLeft(): Promise<void> {
  for (const name of await readdir(MEMORY)) {
    const pid = name.startsWith(PREFIX) ? Number.parseInt(name.slice(PREFIX.length)) : 0
    if (pid > 0 && !isRunning(pid)) await rm(join(MEMORY, name), { recursive: true, force: true, maxRetries: 5 })
  }
}
