import { EventEmitter, once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Supervised, superviseProcess } from '@malha/stack'
import { inheritedEnv, nodeFlags } from '../../reference/processes.ts'
import type { PlantEnv } from '../plants/plants.ts'
import type { ChaosProcess, ProcessKind } from '../system.ts'

export type NodeProcessOptions = {
  name: string
  kind: ProcessKind
  /** What Node runs, from the next start on. */
  main: () => string
  env: Record<string, string>
  /** Without it, it is ready when it is started. */
  readyUrl?: string
  /** Where the file is kept that says how wrong its clock is. Without it, its clock is always right. */
  clockDir?: string
  /** The defect it has for this run. */
  plant?: PlantEnv | undefined
  onLine: (line: string) => void
}

/** A process of the run that starts again by itself, as under a supervisor in production. */
export interface NodeProcess extends ChaosProcess, AsyncDisposable {
  readonly supervised: Supervised
  /** How often it ended of an error that nobody caught. */
  readonly crashes: number
  signal(name: NodeJS.Signals): void
}

/** What Node writes last when it ends a process of such an error. */
const LAST_WORDS = /^Node\.js v\d/

const CLOCK = fileURLToPath(new URL('shifting-clock.ts', import.meta.url))
const LOAD_PLANT = fileURLToPath(new URL('../plants/load-plant.ts', import.meta.url))
const READY_MS = 90_000
/** Longer than an orderly stop of a service takes. */
const STOP_MS = 35_000

export function nodeProcess(options: NodeProcessOptions): NodeProcess {
  const { name, kind, main, env, readyUrl, clockDir, plant, onLine } = options
  const clock = clockDir === undefined ? undefined : join(clockDir, `${name}.clock`)
  const events = new EventEmitter<{ died: [] }>()
  let crashes = 0
  const supervised = superviseProcess({
    name,
    command: process.execPath,
    // Read at each start.
    get args() {
      return [...nodeFlags, main()]
    },
    env: {
      ...inheritedEnv(),
      ...(clock !== undefined && { CHAOS_CLOCK: clock }),
      ...plant,
      NODE_OPTIONS: [...(clock === undefined ? [] : [CLOCK]), ...(plant ? [LOAD_PLANT] : [])]
        .map((file) => `--import=${file}`)
        .join(' '),
      ...env,
    },
    ...(readyUrl !== undefined && { readyUrl }),
    longestPauseMs: 250,
    onLine(line) {
      if (LAST_WORDS.test(line)) crashes += 1
      onLine(line)
    },
    onEvent: ({ type }) => void (type === 'died' && events.emit('died')),
  })
  const signal = (which: NodeJS.Signals): void => supervised.kill(which)

  async function end(which: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (supervised.pid === undefined) return
    const gone = once(events, 'died')
    signal(which)
    const timer = setTimeout(() => signal('SIGKILL'), STOP_MS)
    await gone
    clearTimeout(timer)
  }

  return {
    name,
    kind,
    supervised,
    signal,
    get crashes() {
      return crashes
    },
    get pid() {
      return supervised.pid
    },
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    start: () => supervised.whenReady({ timeoutMs: READY_MS }),
    ...(clock !== undefined && {
      async shiftClock(ms: number) {
        await writeFile(clock, String(ms))
        signal('SIGUSR2')
      },
    }),
    async [Symbol.asyncDispose]() {
      signal('SIGCONT')
      await supervised.stop({ graceMs: 5000 })
    },
  }
}
