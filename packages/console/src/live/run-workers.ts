import type { Logger } from '@malha/mesh'
import type { Actor, Runs } from '@malha/operations'
import { problemOf } from '../http/problem.ts'

/** Works on runs that were begun here, or taken over, until they are over or this console ends. */
export interface RunWorkers extends AsyncDisposable {
  start(id: string, actor: Actor): void
  /** Whether this console works on it, and why it gave up when it did. */
  stateOf(id: string): { worksHere: boolean; gaveUp?: string }
}

/** What is remembered of runs that were given up. */
const MOST = 100

export function runWorkers(runs: Runs, log: Logger): RunWorkers {
  const stopping = new AbortController()
  const working = new Map<string, Promise<void>>()
  const gaveUp = new Map<string, string>()
  const work = async (id: string, actor: Actor): Promise<void> => {
    try {
      await runs.work(id, { ...actor, signal: stopping.signal })
    } catch (err) {
      log.warn({ run: id, err }, 'the console gave a run up; it stays where it is')
      const { code, detail } = problemOf(err)
      gaveUp.set(id, `${code}: ${detail}`)
      if (gaveUp.size > MOST) gaveUp.delete(gaveUp.keys().next().value!)
    } finally {
      working.delete(id)
    }
  }
  return {
    start(id, actor) {
      gaveUp.delete(id)
      if (!working.has(id) && !stopping.signal.aborted) working.set(id, work(id, actor))
    },
    stateOf(id) {
      const why = gaveUp.get(id)
      return { worksHere: working.has(id), ...(why !== undefined && { gaveUp: why }) }
    },
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await Promise.all(working.values())
    },
  }
}
