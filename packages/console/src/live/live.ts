import { setTimeout as sleep } from 'node:timers/promises'
import type { Operations } from '@malha/operations'
import { problemOf } from '../http/problem.ts'
import { countsOf } from './counts.ts'
import type { IndexReader } from './index-reader.ts'

/** What pages are told without asking: the name of an event, and its data. */
export type Told = { event: 'letters' | 'runs' | 'away'; data: unknown }

export interface Live extends AsyncDisposable {
  /** Tells the latest of each, then whatever changes, until what it returns is called. */
  subscribe(listener: (told: Told) => void): () => void
}

export type LiveDeps = { operations: Operations; reader: IndexReader }

const EVERY_MS = 1000

/** Looks once a second for all pages that are open, and not at all while none is. Reads only. */
export function liveUpdates(deps: LiveDeps): Live {
  const listeners = new Set<(told: Told) => void>()
  const latest = new Map<Told['event'], string>()
  const stopping = new AbortController()
  let looking: Promise<void> | undefined
  const tell = (told: Told): void => {
    const text = JSON.stringify(told.data)
    if (latest.get(told.event) === text) return
    latest.set(told.event, text)
    for (const listener of listeners) listener(told)
  }
  const look = async (): Promise<void> => {
    while (listeners.size > 0 && !stopping.signal.aborted) {
      for (const told of await changes(deps)) tell(told)
      await sleep(EVERY_MS, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
    looking = undefined
    latest.clear()
  }
  return {
    subscribe(listener) {
      for (const [event, text] of latest) listener({ event, data: JSON.parse(text) })
      listeners.add(listener)
      looking ??= look()
      return () => void listeners.delete(listener)
    },
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await looking
    },
  }
}

async function changes({ operations, reader }: LiveDeps): Promise<Told[]> {
  const told: Told[] = []
  try {
    const asOf = await reader.read(EVERY_MS)
    told.push({ event: 'letters', data: { ...countsOf(operations.letters), asOf } })
    const runs = await operations.runs.list()
    told.push({
      event: 'runs',
      data: runs.slice(0, 50).map(({ id, state, movedAt, counts }) => ({ id, state, movedAt, counts })),
    })
    told.push({ event: 'away', data: asOf.state === 'behind' ? { detail: asOf.detail } : null })
  } catch (error) {
    const { code, detail, fix } = problemOf(error)
    // A mesh in which nothing ever started is not away; the page of letters says so.
    const isNew = code === 'OPERATIONS_NO_LETTERS'
    told.push({ event: 'away', data: isNew ? null : { code, detail, fix } })
  }
  return told
}
