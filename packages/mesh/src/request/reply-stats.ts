/** What the micro protocol tells of an endpoint. */
export type ReplyStats = { requests: number; errors: number; lastError: string; processingMs: number }

const LEAST_RETRY_MS = 50
const MOST_RETRY_MS = 5000

export const noStats = (): ReplyStats => ({ requests: 0, errors: 0, lastError: '', processingMs: 0 })

export function countError(stats: ReplyStats, error: string): void {
  stats.errors++
  stats.lastError = error
}

/** A guess, ms: when about half of those that wait will have had their turn. */
export function retryAfterMs(
  { requests, processingMs }: ReplyStats,
  { waiting, concurrency }: { waiting: number; concurrency: number },
): number {
  const meanMs = processingMs / Math.max(1, requests)
  const guess = (meanMs * waiting) / concurrency / 2
  return Math.min(MOST_RETRY_MS, Math.max(LEAST_RETRY_MS, guess))
}
