import { setTimeout as sleep } from 'node:timers/promises'
import { spawnChild } from '@malha/stack'
import { inheritedEnv, nodeFlags } from '../reference/processes.ts'

/** A service as it is shipped, or the twin of one: a process of its own, which is ready. It ends with this process, however that ends. */
export interface ServerProcess extends AsyncDisposable {
  readonly pid: number
  /** From its spawn, ms. */
  readonly readyMs: number
}

export type ServerProcessOptions = {
  /** What Node runs. */
  readonly main: string
  readonly env: Readonly<Record<string, string>>
  /** Answers 200 once it is ready. Without it, it says so by a line that is {@link READY}. */
  readonly readyUrl?: string
}

/** The line of stdout by which a twin says that it is ready. */
export const READY = 'ready'

const POLL_MS = 5
const LONGEST_MS = 60_000

/** @throws Error with its last lines, when it ends instead */
export async function startServerProcess({ main, env, readyUrl }: ServerProcessOptions): Promise<ServerProcess> {
  const spawnedAt = performance.now()
  const said = Promise.withResolvers<void>()
  const child = spawnChild({
    command: process.execPath,
    args: [...nodeFlags, main],
    env: { ...inheritedEnv(), LOG_LEVEL: 'warn', ...env },
    onLine: (line) => void (line === READY && said.resolve()),
  })
  const over = new AbortController()
  try {
    await Promise.race([
      readyUrl === undefined ? said.promise : untilAnswers(readyUrl, over.signal),
      child.exited.then(() => Promise.reject(new Error(`${main} ended:\n${child.tail.join('\n')}`))),
      sleep(LONGEST_MS, undefined, { signal: over.signal }).then(() =>
        Promise.reject(new Error(`${main} is not ready after ${LONGEST_MS / 1000} s:\n${child.tail.join('\n')}`)),
      ),
    ])
  } catch (error) {
    await child.stop({ graceMs: 0 })
    throw error
  } finally {
    over.abort()
  }
  const readyMs = performance.now() - spawnedAt
  return { pid: child.pid, readyMs, [Symbol.asyncDispose]: async () => void (await child.stop()) }
}

async function untilAnswers(url: string, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    const answer = await fetch(url, { signal: over }).catch(() => undefined)
    await answer?.arrayBuffer()
    if (answer?.ok) return
    await sleep(POLL_MS)
  }
}
