import { responseError, RetryAfter } from '@malha/mesh'
import { ExponentialBackoff, handleType, type IBackoffFactory, type IRetryBackoffContext, retry } from 'cockatiel'
import type { ResolvedNotify } from './options.ts'

/**
 * How a message ended. `refused`: it will not be taken until somebody corrects something; the address, where it `isForAll` messages.
 * `away`: it may be later, not before `waitMs`.
 */
export type Posted =
  | { how: 'told' }
  | { how: 'refused'; why: string; isForAll: boolean }
  | { how: 'away'; why: string; waitMs: number }

/** May pass by itself. */
class Away extends Error {
  override readonly name = 'Away'
  readonly waitMs: number

  constructor(why: string, waitMs = 0) {
    super(why)
    this.waitMs = waitMs
  }
}

class Refused extends Error {
  override readonly name = 'Refused'
  readonly isForAll: boolean

  constructor(status: number) {
    super(`it answered ${status}`)
    this.isForAll = !OF_A_MESSAGE.has(status)
  }
}

/** What was said is not liked: malformed, too large, cannot be processed (RFC 9110). */
const OF_A_MESSAGE: ReadonlySet<number> = new Set([400, 413, 422])

const MOST_TRIES = 100
const FIRST_MS = 250
const LONGEST_MS = 10_000
/** What the other side still has to answer once the notifier stops, ms: what it took and is not known to have is told twice. */
const LAST_ANSWER_MS = 2000

/**
 * Posts one message, and again with growing delays for `giveUpMs` while the other side is away. Never throws. What it says of a failure has
 * nothing of the address: errors of fetch and answers of the other side may repeat it, so neither is passed on.
 */
export async function post(options: ResolvedNotify, body: string, stopping: AbortSignal): Promise<Posted> {
  if (stopping.aborted) return { how: 'away', why: STOPS, waitMs: 0 }
  const endsAt = performance.now() + options.giveUpMs
  const isWorth = ({ waitMs }: Away): boolean => !stopping.aborted && performance.now() + waitMs < endsAt
  const backoff = patient(new ExponentialBackoff({ initialDelay: FIRST_MS, maxDelay: LONGEST_MS }))
  const policy = retry(handleType(Away, isWorth), { maxAttempts: MOST_TRIES, backoff }).dangerouslyUnref()
  const stopped = Promise.withResolvers<never>()
  const cut = new AbortController()
  let isAsked = false
  const stop = (): void => {
    if (!isAsked) stopped.reject(new Away(STOPS))
    setTimeout(() => cut.abort(), LAST_ANSWER_MS).unref()
  }
  const ask = async (): Promise<void> => {
    isAsked = true
    await postOnce(options, body, cut.signal).finally(() => (isAsked = false))
  }
  stopping.addEventListener('abort', stop, { once: true })
  try {
    await Promise.race([policy.execute(ask), stopped.promise])
    return { how: 'told' }
  } catch (error) {
    if (error instanceof Refused) return { how: 'refused', why: error.message, isForAll: error.isForAll }
    if (error instanceof Away) return { how: 'away', why: error.message, waitMs: error.waitMs }
    return { how: 'away', why: 'an error without a name', waitMs: 0 }
  } finally {
    stopping.removeEventListener('abort', stop)
  }
}

const STOPS = 'the notifier stops'

type Patience = IBackoffFactory<IRetryBackoffContext<unknown>>

/** Longer each time, and as long at least as the other side asks for. */
function patient(growing: Patience): Patience {
  return {
    next(context) {
      const step = growing.next(context)
      const failed = 'error' in context.result ? context.result.error : undefined
      const askedMs = failed instanceof Away ? failed.waitMs : 0
      return { ...patient(step), duration: Math.max(step.duration, askedMs) }
    },
  }
}

async function postOnce({ url, timeoutMs }: ResolvedNotify, body: string, cut: AbortSignal): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json; charset=utf-8', 'user-agent': 'malha-notify' },
    body,
    // Where it leads to is not where the user said that messages may go.
    redirect: 'manual',
    signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), cut]),
  }).catch((error: unknown) => {
    throw new Away(reasonOf(error))
  })
  await response.body?.cancel().catch(() => undefined)
  check(response)
}

/** 2xx is success. 408, 429 and 5xx may pass; anything else will not (RFC 9110, 15). */
function check({ status, ok, headers }: Response): void {
  if (ok) return
  if (status < 500 && status !== 408 && status !== 429) throw new Refused(status)
  const asked = responseError({ status, headers })
  throw new Away(`it answered ${status}`, asked instanceof RetryAfter ? asked.delayMs : 0)
}

/** Its code alone: `ECONNREFUSED`. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'an error without a name'
  if (error.name === 'TimeoutError') return 'it did not answer in time'
  if (error.name === 'AbortError') return STOPS
  const { code } = (error.cause ?? {}) as { code?: unknown }
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,63}$/.test(code) ? code : 'it cannot be reached'
}
