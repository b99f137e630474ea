import {
  keepPreviousData,
  QueryClient,
  QueryObserver,
  type QueryObserverOptions,
  type QueryObserverResult,
} from '@tanstack/query-core'
import { useEffect, useState } from 'preact/hooks'
import type { ProblemView } from '../../src/api/schemas/shared.ts'
import { ask, problemOf } from './client.ts'

export type Answer<T> = {
  /** The last one, also while a newer one is on its way. */
  data: T | undefined
  problem: ProblemView | undefined
  isLoading: boolean
}

const queries = new QueryClient({
  defaultOptions: { queries: { retry: false, gcTime: 30_000, refetchOnWindowFocus: true, networkMode: 'always' } },
})
queries.mount()

/** What the API says at a path, kept up to date. */
export function useAnswer<T>(path: string): Answer<T> {
  const [observer] = useState(() => new QueryObserver(queries, optionsOf(path)))
  const [result, setResult] = useState<QueryObserverResult>(() => observer.getCurrentResult())
  useEffect(() => observer.subscribe(setResult), [observer])
  useEffect(() => observer.setOptions(optionsOf(path)), [observer, path])
  const { data, error, isFetching, isPlaceholderData } = result
  const isOther = isPlaceholderData && error !== null
  return {
    data: isOther ? undefined : (data as T | undefined),
    problem: error ? problemOf(error) : undefined,
    isLoading: isFetching && (data === undefined || isPlaceholderData),
  }
}

function optionsOf(path: string): QueryObserverOptions {
  return {
    queryKey: [path],
    queryFn: ({ signal }: { signal: AbortSignal }) => ask(path, { signal }),
    placeholderData: keepPreviousData,
  }
}

/** Asks again for what begins like this and is shown. */
export async function refresh(beginning: string): Promise<void> {
  await queries.invalidateQueries({ predicate: ({ queryKey: [path] }) => String(path).startsWith(beginning) })
}
