import { setTimeout as pause } from 'node:timers/promises'
import { TimeoutError } from '@nats-io/transport-node'
import { apiCode, apiCodes, isPeerAway, unheardSubject } from './api-errors.ts'

/** How long one request waits for its answer, ms. */
export const ASK_MS = 10_000
const PATIENCE_MS = 30_000
const PAUSE_MS = 250

/**
 * Runs `ask`, which may be done twice, until the server says something: a busy cluster elects leaders and makes several
 * replicated streams at once, and a request that finds none of them is dropped without a word. What needs a server that is
 * away is asked for again, too: as a rule it is being restarted.
 * @throws what `ask` threw last, once `patienceMs` have passed
 */
export async function askAgain<T>(ask: () => Promise<T>, patienceMs: number = PATIENCE_MS): Promise<T> {
  for (const deadline = Date.now() + patienceMs; ; await pause(PAUSE_MS)) {
    try {
      return await ask()
    } catch (error) {
      if (!(isUnanswered(error) || isPeerAway(error)) || Date.now() > deadline) throw error
    }
  }
}

/** Nobody said anything: it may be that a leader is being elected. */
export function isUnanswered(error: unknown): boolean {
  return error instanceof TimeoutError || apiCode(error) === apiCodes.unavailable || isUnheard(error)
}

/**
 * A stream was just made, by another instance perhaps, and its replicas do not listen for reads yet, or this server has not
 * heard yet for which subjects its leader does.
 */
function isUnheard(error: unknown): boolean {
  const subject = unheardSubject(error)
  return subject !== undefined && (subject.startsWith('$JS.API.DIRECT.GET.') || !subject.startsWith('$JS.API.'))
}
