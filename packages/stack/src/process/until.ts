import { setTimeout as sleep } from 'node:timers/promises'
import { StackError } from '../errors.ts'
import type { Child } from './spawn.ts'

const POLL_MS = 25
const SLOWEST_POLL_MS = 250

/** Asks `isReady` until it says yes or the child has ended. A refused connection means "not yet". */
export async function untilReady(
  child: Child,
  isReady: () => Promise<boolean>,
  options: { what: string; timeoutMs: number },
): Promise<void> {
  const deadline = Date.now() + options.timeoutMs
  let pauseMs = POLL_MS
  let last: unknown
  while (!child.exit) {
    try {
      if (await isReady()) return
    } catch (error) {
      last = error
    }
    if (Date.now() > deadline) {
      const why = `${options.what} did not become ready within ${options.timeoutMs / 1000} s${lastLines(child)}`
      throw new StackError('STACK_NOT_READY', why, { cause: last })
    }
    await Promise.race([sleep(pauseMs), child.exited])
    pauseMs = Math.min(pauseMs * 1.2, SLOWEST_POLL_MS)
  }
  await child.exited
  throw new StackError('STACK_EXITED', `${options.what} ended at once (${howItEnded(child)})${lastLines(child)}`)
}

export function howItEnded({ exit }: Pick<Child, 'exit'>): string {
  return exit?.signal ?? `exit code ${exit?.code ?? 'unknown'}`
}

export function lastLines({ tail }: Pick<Child, 'tail'>): string {
  return tail.length === 0 ? '' : `; its last lines:\n${tail.slice(-12).join('\n')}`
}

/** The JSON answer to a GET, or undefined for any status but 200. Waits at most 2 s. */
export async function getJson<T>(url: string): Promise<T | undefined> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2000), headers: { connection: 'close' } })
  const text = await response.text()
  return response.status === 200 ? (JSON.parse(text) as T) : undefined
}
