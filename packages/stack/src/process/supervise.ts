import { setTimeout as sleep } from 'node:timers/promises'
import { StackError } from '../errors.ts'
import type { StackLog } from '../log.ts'
import { silent } from '../log.ts'
import { answers } from './answers.ts'
import { spawnChild } from './spawn.ts'
import type { Child, ChildExit, ChildOptions } from './spawn.ts'
import { howItEnded, lastLines } from './until.ts'

export type SuperviseOptions = ChildOptions & {
  /** What to call it in messages. */
  name: string
  /** Answers 200 once the process is ready. Without it, a process is ready when it is started. */
  readyUrl?: string
  /** Hears one sentence a restart. */
  log?: StackLog
  onEvent?: (event: SuperviseEvent) => void
  /** The pause before the first restart. @default 250 */
  firstPauseMs?: number
  /** @default 10000 */
  longestPauseMs?: number
  /** A process that lived this long starts over with the first pause. @default 30000 */
  steadyAfterMs?: number
}

export type SuperviseEvent =
  | { type: 'started'; name: string; pid: number; restarts: number }
  | { type: 'ready'; name: string; pid: number }
  | { type: 'died'; name: string; pid: number; exit: ChildExit; restartInMs: number }
  | { type: 'stopped'; name: string }

export interface Supervised extends AsyncDisposable {
  readonly name: string
  /** Of the process that runs now; undefined in the pause before a restart and after `stop`. */
  readonly pid: number | undefined
  readonly restarts: number
  /**
   * Settles when the process that runs now, or the next, answers at `readyUrl`.
   * @throws StackError `STACK_NOT_READY` after `timeoutMs` (default 30000), or when it died five times before ever being ready.
   */
  whenReady(options?: { timeoutMs?: number }): Promise<void>
  /** Signals the process that runs now (default SIGKILL). It is started again, as after any other death. */
  kill(signal?: NodeJS.Signals): void
  /** SIGTERM, SIGKILL after `graceMs` (default 8000), and no restart. */
  stop(options?: { graceMs?: number }): Promise<void>
}

const HOPELESS_DEATHS = 5
const READY_POLL_MS = 50

/** Starts a process and starts it again whenever it dies, with growing pauses, until `stop`. */
export function superviseProcess(options: SuperviseOptions): Supervised {
  const { name, readyUrl, log = silent, onEvent = () => {} } = options
  const stopping = new AbortController()
  const pauses = growingPauses(options)
  let child: Child | undefined
  let last: Child | undefined
  let restarts = 0
  let deaths = 0
  let everReady = false

  const live = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const startedAt = Date.now()
      child = last = spawnChild(options)
      const { pid } = child
      onEvent({ type: 'started', name, pid, restarts })
      const exit = await child.exited
      child = undefined
      if (stopping.signal.aborted) break
      deaths++
      const restartInMs = pauses.next(Date.now() - startedAt)
      onEvent({ type: 'died', name, pid, exit, restartInMs })
      log(`${name} (pid ${pid}) died (${howItEnded({ exit })}); it is started again in ${restartInMs / 1000} s`)
      await sleep(restartInMs, undefined, { signal: stopping.signal }).catch(() => {})
      restarts++
    }
    onEvent({ type: 'stopped', name })
  }
  const life = live()

  return {
    name,
    get pid() {
      return child?.pid
    },
    get restarts() {
      return restarts
    },
    async whenReady({ timeoutMs = 30_000 } = {}) {
      const deadline = Date.now() + timeoutMs
      for (;;) {
        const asked = child
        if (asked && (readyUrl === undefined || (await answers(readyUrl))) && !asked.exit) {
          everReady = true
          return onEvent({ type: 'ready', name, pid: asked.pid })
        }
        const hopeless = !everReady && deaths >= HOPELESS_DEATHS
        if (hopeless || stopping.signal.aborted || Date.now() > deadline) {
          const seen = last ? `${last.exit ? ` (${howItEnded(last)})` : ''}${lastLines(last)}` : ''
          const how = hopeless
            ? `died ${deaths} times before it was ready`
            : `was not ready within ${timeoutMs / 1000} s`
          throw new StackError('STACK_NOT_READY', `${name} ${how}${seen}`)
        }
        await sleep(READY_POLL_MS)
      }
    },
    kill: (signal = 'SIGKILL') => child?.kill(signal),
    stop,
    [Symbol.asyncDispose]: () => stop(),
  }

  async function stop({ graceMs = 8000 }: { graceMs?: number } = {}): Promise<void> {
    stopping.abort()
    await child?.stop({ graceMs })
    await life
  }
}

function growingPauses(options: SuperviseOptions): { next(livedMs: number): number } {
  const { firstPauseMs = 250, longestPauseMs = 10_000, steadyAfterMs = 30_000 } = options
  let pauseMs = firstPauseMs
  return {
    next(livedMs) {
      if (livedMs >= steadyAfterMs) pauseMs = firstPauseMs
      const now = pauseMs
      pauseMs = Math.min(pauseMs * 2, longestPauseMs)
      return now
    },
  }
}
