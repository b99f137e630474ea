import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { ChaosProcess } from '../system.ts'
import { inTurn } from './in-turn.ts'
import { startAgain } from './start-again.ts'
import { type Disk, mountDisk, whyNoDisk } from './disk.ts'

/** The disks of a run: one for each process that keeps what must not be lost, as far as this machine lets us make them. */
export interface Disks extends AsyncDisposable {
  /** Gives a process, which does not run yet, a disk of its own for `folder`. */
  give(process: string, folder: string): Promise<void>
  /**
   * @returns how to make room again
   * @throws Error that says why it cannot be filled
   */
  fill(process: ChaosProcess): Promise<() => Promise<void>>
}

/** A file with holes: it takes of the machine's disk what is written. */
const SIZE_BYTES = 16 * 1024 ** 3
/** What one file may have: less than any file of a store that is in use. */
const FILE_BYTES = 4096

export async function openDisks(): Promise<Disks> {
  const mounted = new Map<string, Disk>()
  /** How many want a disk to be full: it has room again when the last of them is content. */
  const fillers = new Map<string, number>()
  const turns = new Map<string, ReturnType<typeof inTurn>>()
  let why = await whyNoDisk()
  return {
    async give(process, folder) {
      await mkdir(folder, { recursive: true })
      if (why !== undefined) return
      try {
        mounted.set(process, await mountDisk(folder, { sizeBytes: SIZE_BYTES }))
      } catch (error) {
        why = error instanceof Error ? error.message : String(error)
      }
    },
    fill(process) {
      const disk = mounted.get(process.name)
      const turn = turns.get(process.name) ?? inTurn()
      turns.set(process.name, turn)
      const change = (by: 1 | -1): number => {
        const next = (fillers.get(process.name) ?? 0) + by
        fillers.set(process.name, next)
        return next
      }
      return turn(async () => {
        if (!disk && process.kind !== 'broker') throw new Error(`${process.name} has no disk to fill: ${why}`)
        await (disk ? disk.fill() : limitFiles(process))
        change(1)
        return () =>
          turn(async () => {
            if (change(-1) > 0) return
            await disk?.free()
            // It stores nothing any more after a write that failed, until it is started again.
            if (process.kind === 'broker') await restart(process)
          })
      })
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...mounted.values()].map((disk) => disk[Symbol.asyncDispose]()))
    },
  }
}

/**
 * A write past the file size limit of a process fails as one on a full disk does, with another number. Only the soft
 * limit: who may lower the hard one may not raise it again.
 * @throws where there is no `prlimit` (util-linux)
 */
async function limitFiles({ pid }: ChaosProcess): Promise<void> {
  if (pid !== undefined) await promisify(execFile)('prlimit', ['--pid', String(pid), `--fsize=${FILE_BYTES}:`])
}

async function restart(broker: ChaosProcess): Promise<void> {
  await broker.kill()
  await startAgain(broker)
}
