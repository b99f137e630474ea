import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Child, spawnChild } from '@malha/stack'

/** Of every image. */
const USER = 10_001

/** How close to a container a process can be run here. */
export type Confinement = 'namespaces' | 'user' | 'none'

/** PID 1 of its own namespace, on a root it cannot write, as the images' user, with no way to become another. */
const CONFINED = `
mount --bind "$NODE" "$SCRATCH/node"
[ -z "$WRITABLE" ] || mount --bind "$WRITABLE" "$WRITABLE"
mount --bind "$APP" "$APP"
mount -o remount,bind,ro "$APP"
mount -o remount,bind,ro /
cd "$APP"
exec setpriv --reuid ${USER} --regid ${USER} --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all -- \
  env -i "$@"`

const UNSHARE = ['--pid', '--fork', '--kill-child', '--mount-proc', '--mount', '/bin/sh', '-euc', CONFINED, 'sh']

export type ContainerOptions = {
  /** What is at `/app`. */
  app: string
  /** Arguments of node. */
  args: readonly string[]
  /** Nothing else is in its environment. */
  env: Readonly<Record<string, string>>
  /** A folder that takes the place of a volume. */
  writable?: string
}

export interface Containers {
  readonly confinement: Confinement
  run(options: ContainerOptions): Child
}

/** @param scratch A folder that others may read and that lasts as long as what runs. */
export function containers(scratch: string): Containers {
  writeFileSync(join(scratch, 'node'), '', { mode: 0o755 })
  const isRoot = process.getuid?.() === 0
  const confinement: Confinement = isRoot ? (mayUnshare() ? 'namespaces' : 'user') : 'none'
  return {
    confinement,
    run({ app, args, env, writable }) {
      if (writable !== undefined) {
        mkdirSync(writable, { recursive: true })
        if (isRoot) chownSync(writable, USER, USER)
      }
      if (confinement === 'namespaces') {
        const given = Object.entries(env).map(([variable, value]) => `${variable}=${value}`)
        const paths = { NODE: process.execPath, SCRATCH: scratch, APP: app, WRITABLE: writable ?? '' }
        return spawnChild({
          command: 'unshare',
          args: [...UNSHARE, ...given, join(scratch, 'node'), ...args],
          env: { PATH: PATH_OF_SYSTEM, ...paths },
        })
      }
      chmodSync(app, 0o555)
      return spawnChild({
        command: process.execPath,
        args,
        cwd: app,
        env,
        ...(isRoot && { user: { uid: USER, gid: USER } }),
      })
    },
  }
}

const PATH_OF_SYSTEM = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

function mayUnshare(): boolean {
  const script = 'mount -o remount,bind,ro / && setpriv --reuid 1 --regid 1 --clear-groups true'
  const args = ['--pid', '--fork', '--mount-proc', '--mount', '/bin/sh', '-c', script]
  try {
    execFileSync('unshare', args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
