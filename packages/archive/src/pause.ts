import { setTimeout as sleep } from 'node:timers/promises'

/** Waits, or returns at once when `signal` is or becomes aborted. Never throws. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await sleep(ms, undefined, signal ? { signal } : {}).catch(() => undefined)
}

export type BackoffRange = {
  /** @default 50 */
  fromMs?: number
  /** @default 30_000 */
  toMs?: number
}

/** How long to wait before retry number `attempt` (from 1): doubling from `fromMs`, at most `toMs`, up to a fifth longer by chance. */
export function backoffMs(attempt: number, { fromMs = 50, toMs = 30_000 }: BackoffRange = {}): number {
  const base = Math.min(toMs, fromMs * 2 ** Math.min(attempt - 1, 30))
  return Math.min(toMs, base * (1 + Math.random() / 5))
}
