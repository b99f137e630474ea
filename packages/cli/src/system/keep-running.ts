import { setTimeout as sleep } from 'node:timers/promises'

/** A part of the stack: it can be stopped, and says when it ended for whatever reason. */
export interface Part {
  readonly exited: Promise<unknown>
  stop(): Promise<void>
}

/** A part that is started again whenever it ends by itself. */
export interface Kept<T> extends AsyncDisposable {
  /** The one that runs now, or ran last. */
  readonly current: T
}

const LONGEST_PAUSE_MS = 10_000

/** Starts a part, and again with growing pauses when it ends unasked. Only the first start may fail. */
export async function keepRunning<T extends Part>(
  name: string,
  start: () => Promise<T>,
  log: (sentence: string) => void,
): Promise<Kept<T>> {
  const stopping = new AbortController()
  // What somebody else runs may never end.
  const stopped = new Promise<void>((resolve) => stopping.signal.addEventListener('abort', () => resolve()))
  let current = await start()
  const keep = async (): Promise<void> => {
    for (let pauseMs = 250; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      await Promise.race([current.exited, stopped])
      if (stopping.signal.aborted) return
      log(`${name} died; it is started again in ${pauseMs / 1000} s`)
      await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined)
      if (stopping.signal.aborted) return
      try {
        current = await start()
        if (stopping.signal.aborted) return await current.stop()
      } catch (error) {
        log(`${name} does not start: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  }
  const kept = keep()
  return {
    get current() {
      return current
    },
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await current.stop()
      await kept
    },
  }
}
