import { setTimeout as sleep } from 'node:timers/promises'

export type PacedOptions = {
  /** A second, on average: what was held up is made up for, at up to twice this rate. */
  rate: number
  /** Whether one more may begin now. */
  mayBegin: () => boolean
  signal: AbortSignal
}

const TICK_MS = 10

/** Begins `each` at a steady rate until the signal aborts. */
export async function paced(each: () => void, { rate, mayBegin, signal }: PacedOptions): Promise<void> {
  const startedAt = performance.now()
  let begun = 0
  let last = startedAt
  while (!signal.aborted) {
    const now = performance.now()
    const due = Math.floor(((now - startedAt) / 1000) * rate) - begun
    const most = Math.ceil(((now - last) / 1000) * 2 * rate)
    last = now
    for (let left = Math.min(due, most); left > 0 && mayBegin(); left -= 1) {
      each()
      begun += 1
    }
    await sleep(TICK_MS, undefined, { signal }).catch(() => undefined)
  }
}
