import { isThenable, type Maybe } from '../maybe.ts'
import { type Attempt, timeoutError } from './attempt.ts'
import { messageContext } from './message-context.ts'

/** `leaked`: it ignored its signal for `leakAfterMs`, and may still be running. */
export type Called = 'returned' | 'leaked'

/** Calls the user's function. What it does at once takes no timer and no promise. */
export function callHandler(attempt: Attempt): Maybe<Called> {
  const { claim, deps, data } = attempt
  // Nothing may come between this look and the call: others that begin in the same turn take their time too.
  if (claim?.isSure === false) return claim.confirm().then(() => callHandler(attempt))
  const returned: unknown = deps.def.handle(data, messageContext(attempt))
  return isThenable(returned) ? inTime(attempt, returned) : 'returned'
}

/** Waits for what the function returned, with a time limit that counts from its call. */
function inTime(attempt: Attempt, returned: PromiseLike<unknown>): Promise<Called> {
  const { def, leakAfterMs } = attempt.deps
  const { promise, resolve, reject } = Promise.withResolvers<Called>()
  const leftMs = Math.ceil(def.timeoutMs - (performance.now() - attempt.startedAt))
  let isLeaked = false
  const giveUp = (): void => {
    isLeaked = true
    resolve('leaked')
  }
  let timer = setTimeout(
    () => {
      timer = setTimeout(giveUp, leakAfterMs)
      attempt.expire()
    },
    Math.max(0, leftMs),
  )
  Promise.resolve(returned).then(
    () => {
      clearTimeout(timer)
      if (isLeaked) attempt.deps.onLate?.(attempt)
      return resolve('returned')
    },
    (error: unknown) => {
      clearTimeout(timer)
      // What a handler throws because it was told to stop is our time-out, not its own fault.
      reject(attempt.isLate ? timeoutError(attempt.deps, error) : error)
    },
  )
  return promise
}
