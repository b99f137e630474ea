import { execFile } from 'node:child_process'
import { rm, stat, statfs, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { spawnChild } from '@malha/stack'
import { eventually } from '@malha/testing'

const run = promisify(execFile)

/** A folder with a disk of its own, which can be made full. */
export interface Disk extends AsyncDisposable {
  /** Takes all the room that is left. */
  fill(): Promise<void>
  /** Gives it back. Of no effect on a disk that is not full. */
  free(): Promise<void>
}

/** Why this machine makes no disks, if it does not. */
export async function whyNoDisk(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'disks of a file (mount -o loop) are made on Linux only'
  if (process.getuid?.() !== 0) return 'only root may mount a disk'
  const hasTools = await run('sh', ['-c', 'command -v mkfs.ext4 mount umount fallocate setsid']).catch(() => undefined)
  return hasTools ? undefined : 'it takes mkfs.ext4, mount, umount, fallocate and setsid'
}

/**
 * Mounts an ext4 kept in a file on `folder`, which must be there. It is not there any more when this process has ended,
 * however it ended: a shell holds it, whose stdin closes then.
 * @throws Error with what `mount` said
 */
export async function mountDisk(folder: string, { sizeBytes }: { sizeBytes: number }): Promise<Disk> {
  const image = `${folder}.image`
  await writeFile(image, '')
  await truncate(image, sizeBytes)
  // Nothing is kept for root (-m 0): the brokers run as root where disks can be mounted.
  await run('mkfs.ext4', ['-q', '-F', '-m', '0', '-E', 'lazy_itable_init=1,nodiscard', image])
  const holder = spawnChild({ command: '/bin/sh', args: ['-c', HOLD, 'sh', image, folder] })
  await eventually(() => {
    if (holder.exit) throw new Error(`no disk on ${folder}: ${holder.tail.join(' ')}`)
    return holder.tail.includes('mounted')
  })
  const ballast = join(folder, 'ballast')
  return {
    fill: () => takeAll(folder, ballast),
    free: () => rm(ballast, { force: true }),
    async [Symbol.asyncDispose]() {
      holder.process.stdin.end()
      await holder.exited
      await rm(image, { force: true })
    },
  }
}

/**
 * In a session of its own, so that what ends this process group does not end the unmounting too. The shell itself does not
 * end before, and it reads on until there is nobody who would write.
 */
const HOLD = `
trap '' TERM INT HUP
mount -o loop "$1" "$2" || exit 1
echo mounted
read -r _
setsid umount -l "$2"
`

/** The file system needs some of the room to note what is whose, and others write meanwhile: so in ever smaller pieces. */
async function takeAll(folder: string, ballast: string): Promise<void> {
  let taken = (await stat(ballast).catch(() => undefined))?.size ?? 0
  for (let share = 1; ;) {
    const { bsize, bavail } = await statfs(folder)
    const blocks = Math.floor(bavail / share)
    if (blocks === 0) return
    const bytes = blocks * bsize
    const isTaken = await run('fallocate', ['-o', String(taken), '-l', String(bytes), ballast]).then(
      () => true,
      () => false,
    )
    if (isTaken) taken += bytes
    share = isTaken ? 1 : share * 2
  }
}
