import { spawn } from 'node:child_process'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { unwatch, watch } from './watchdog.ts'

export type ChildOptions = {
  command: string
  args?: readonly string[]
  /** @default the environment of this process */
  env?: NodeJS.ProcessEnv
  cwd?: string
  /** Who it runs as, if not this process's own user; only root may choose. */
  user?: { uid: number; gid: number }
  /** Hears each line of stdout and stderr. */
  onLine?: (line: string, from: 'stdout' | 'stderr') => void
}

export type ChildExit = { code: number | null; signal: NodeJS.Signals | null }

/** A child process in a process group of its own, which does not outlive this process, whatever ends it. */
export interface Child {
  readonly pid: number
  /** Its stdin stays open until it or this process ends. */
  readonly process: ChildProcessWithoutNullStreams
  /** Settles once it has ended and what it wrote was read. Never rejects. */
  readonly exited: Promise<ChildExit>
  /** How it ended; undefined while it runs. */
  readonly exit: ChildExit | undefined
  /** The last lines it wrote, for an error message. */
  readonly tail: readonly string[]
  /** Signals the process group. Does nothing once it has ended. */
  kill(signal?: NodeJS.Signals): void
  /** SIGTERM, and SIGKILL after `graceMs` (default 5000). */
  stop(options?: { graceMs?: number }): Promise<ChildExit>
}

/** Waits until it is watched (a line on descriptor 3), then becomes the command: same pid, same exit code, same signals. */
const GATE = 'read -r _ <&3 || exit 127; exec "$@" 3<&-'
const TAIL_LINES = 30
const DRAIN_MS = 300

/** Starts a child. A command that does not exist exits with 127 and says so in its `tail`. */
export function spawnChild(options: ChildOptions): Child {
  const { command, args = [], env = process.env, cwd, user } = options
  const child = spawn('/bin/sh', ['-c', GATE, 'sh', command, ...args], {
    detached: true,
    env,
    ...(cwd !== undefined && { cwd }),
    ...user,
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
  })
  const { pid } = child
  if (pid === undefined) return neverStarted(child, `cannot start /bin/sh${cwd === undefined ? '' : ` in ${cwd}`}`)
  watch(pid)
  const gate = child.stdio[3] as Writable
  for (const stream of [gate, child.stdin]) stream.on('error', () => {})
  gate.end('\n')
  return follow(child, pid, options)
}

function follow(child: ChildProcessWithoutNullStreams, pid: number, { onLine }: ChildOptions): Child {
  const tail: string[] = []
  const read = (stream: Readable, from: 'stdout' | 'stderr'): void => {
    createInterface({ input: stream }).on('line', (line) => {
      tail.push(line)
      if (tail.length > TAIL_LINES) tail.shift()
      onLine?.(line, from)
    })
  }
  read(child.stdout, 'stdout')
  read(child.stderr, 'stderr')

  let exit: ChildExit | undefined
  const kill = (signal: NodeJS.Signals = 'SIGTERM'): void => {
    if (!exit) signalGroup(pid, signal)
  }
  const closed = new Promise<void>((resolve) => child.once('close', resolve))
  const exited = new Promise<ChildExit>((resolve) => {
    child.once('exit', (code, signal) => {
      exit = { code, signal }
      signalGroup(pid, 'SIGKILL') // what it started and left behind
      unwatch(pid)
      // A stray grandchild may hold the pipes: the end of the process counts, not the end of its output.
      void Promise.race([closed, sleep(DRAIN_MS, undefined, { ref: false })]).then(() => resolve({ code, signal }))
    })
  })
  return {
    pid,
    process: child,
    exited,
    tail,
    get exit() {
      return exit
    },
    kill,
    async stop({ graceMs = 5000 } = {}) {
      kill('SIGTERM')
      const timer = setTimeout(() => kill('SIGKILL'), graceMs)
      const how = await exited
      clearTimeout(timer)
      return how
    },
  }
}

function signalGroup(pgid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pgid, signal)
  } catch {
    // Nobody is left in the group.
  }
}

function neverStarted(child: ChildProcessWithoutNullStreams, why: string): Child {
  const exit: ChildExit = { code: 127, signal: null }
  child.on('error', () => {})
  const exited = Promise.resolve(exit)
  return { pid: 0, process: child, exited, exit, tail: [why], kill: () => {}, stop: () => exited }
}
