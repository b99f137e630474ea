import { setTimeout as sleep } from 'node:timers/promises'
import { OperationsError, type Letters } from '@malha/operations'
import type { Mesh } from '@malha/mesh'
import { problemOf } from '../http/problem.ts'
import { isAway } from './is-away.ts'

/** How far the index is: `reading` what was written since, up to a letter; `behind`, because NATS does not answer. */
export type AsOf =
  | { state: 'current' }
  | { state: 'reading'; until: number }
  | { state: 'behind'; since: string; detail: string }

export interface IndexReader {
  /**
   * Brings the index to where the streams are, and says how far it is after `withinMs` at the latest: the first read of a
   * million letters takes longer than a page may wait. Whoever asks meanwhile waits for the read behind it, with all others.
   * @throws OperationsError OPERATIONS_NO_LETTERS
   */
  read(withinMs?: number): Promise<AsOf>
  /** Resolves when nothing is read. */
  ended(): Promise<void>
}

const WITHIN_MS = 2000

export function indexReader(mesh: Mesh, letters: Letters): IndexReader {
  let reading: Promise<void> | undefined
  let next: Promise<void> | undefined
  let until = 0
  let currentAt = new Date().toISOString()
  const refresh = async (): Promise<void> => {
    await letters.refresh((upTo) => (until = upTo))
    currentAt = new Date().toISOString()
  }
  const begin = (): Promise<void> => (reading = refresh().finally(() => (reading = undefined)))
  const beginNext = (): Promise<void> => {
    next = undefined
    return begin()
  }
  // One that is under way goes as far as the streams went when it began: whoever asks now may have written since.
  const nextRead = (): Promise<void> => {
    if (reading) next ??= reading.then(beginNext, beginNext)
    return next ?? begin()
  }
  return {
    async ended() {
      for (let last = next ?? reading; last; last = next ?? reading) await last.catch(() => undefined)
    },
    async read(withinMs = WITHIN_MS) {
      if (isAway(mesh)) return { state: 'behind', since: currentAt, detail: 'there is no connection to NATS' }
      const ended: Promise<AsOf> = nextRead().then(
        () => ({ state: 'current' }),
        (error: unknown) => {
          if (error instanceof OperationsError) throw error
          return { state: 'behind', since: currentAt, detail: problemOf(error).detail }
        },
      )
      const late = new AbortController()
      const patience = sleep(withinMs, { state: 'reading', until } as const, { signal: late.signal })
      patience.catch(() => undefined)
      try {
        const first = await Promise.race([ended, patience])
        return first.state === 'reading' ? { ...first, until } : first
      } finally {
        late.abort()
      }
    },
  }
}
