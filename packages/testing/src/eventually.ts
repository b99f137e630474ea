import { setTimeout as sleep } from 'node:timers/promises'

export type EventuallyOptions = {
  /** How long to keep asking, ms. @default 30 000 */
  timeoutMs?: number
  /** Pause between two tries, ms. @default 25 */
  intervalMs?: number
}

/**
 * Asks until `check` neither throws nor returns `false`, and gives what it returned: the way to wait for something that
 * another process does.
 * @throws Error with the number of tries and the last failure when the time is over, also when one try hangs
 */
export async function eventually<T>(check: () => T | Promise<T>, options: EventuallyOptions = {}): Promise<T> {
  const { timeoutMs = 30_000, intervalMs = 25 } = options
  const caller = new Error('not within the time')
  const deadline = performance.now() + timeoutMs
  let last: unknown = new Error('the first try did not come back')
  let tries = 0
  do {
    tries += 1
    const outcome = await attempt(check, Math.max(1, deadline - performance.now()))
    if (outcome.ok) return outcome.value
    last = outcome.error ?? last
    await sleep(intervalMs)
  } while (performance.now() < deadline)
  const failure = new Error(
    `not within ${timeoutMs} ms (${tries} ${tries === 1 ? 'try' : 'tries'}): ${sentence(last)}`,
    {
      cause: last,
    },
  )
  // The stack of the timer that ran last says nothing; the caller's line does.
  if (caller.stack) failure.stack = caller.stack.replace(caller.message, failure.message)
  throw failure
}

type Attempt<T> = { ok: true; value: T } | { ok: false; error?: unknown }

/** One try. A hanging one is given up without an error of its own, so that the failure before it is what is told. */
async function attempt<T>(check: () => T | Promise<T>, leftMs: number): Promise<Attempt<T>> {
  const over = new AbortController()
  const tried = (async (): Promise<Attempt<T>> => {
    try {
      const value = await check()
      return value === false ? { ok: false, error: new Error('the check returned false') } : { ok: true, value }
    } catch (error) {
      return { ok: false, error }
    }
  })()
  const hung = sleep(leftMs, undefined, { signal: over.signal }).then(
    (): Attempt<T> => ({ ok: false }),
    (): Attempt<T> => ({ ok: false }),
  )
  const first = await Promise.race([tried, hung])
  over.abort()
  return first
}

function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
