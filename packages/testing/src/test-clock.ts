/** A clock that stands still until it is told otherwise. */
export type TestClock = {
  /** Unix time, ms. */
  readonly now: () => number
  /** Unix time as a `Date`. */
  readonly date: () => Date
  /**
   * Resolves when the clock has passed `ms` from now.
   * @throws the signal's reason once it aborts
   */
  readonly sleep: (ms: number, options?: { signal?: AbortSignal }) => Promise<void>
  /** Runs `callback` once when the clock has passed `ms` from now; the returned function cancels it. */
  readonly after: (ms: number, callback: () => void) => () => void
  /**
   * Moves on by `ms` and runs what falls due, in the order of its time; what that sets off (promises, new timers within
   * the span) is run too before this resolves.
   */
  readonly advance: (ms: number) => Promise<void>
  /** How many timers wait. */
  readonly waiting: number
}

type Timer = { readonly at: number; readonly run: () => void }

/** A controllable clock, at `start` (Unix ms or a `Date`). @default 2026-01-01T00:00:00Z */
export function testClock(start: number | Date = Date.UTC(2026, 0, 1)): TestClock {
  let time = Number(start)
  const timers = new Set<Timer>()

  function after(ms: number, callback: () => void): () => void {
    const timer: Timer = { at: time + Math.max(0, ms), run: callback }
    timers.add(timer)
    return () => void timers.delete(timer)
  }

  function sleep(ms: number, options: { signal?: AbortSignal } = {}): Promise<void> {
    const { signal } = options
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(reason(signal))
      const cancel = after(ms, () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      })
      function onAbort(): void {
        cancel()
        reject(reason(signal))
      }
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  async function advance(ms: number): Promise<void> {
    const until = time + ms
    await settle()
    for (let due = next(timers, until); due; due = next(timers, until)) {
      timers.delete(due)
      time = due.at
      due.run()
      await settle()
    }
    time = until
  }

  return {
    now: () => time,
    date: () => new Date(time),
    sleep,
    after,
    advance,
    get waiting() {
      return timers.size
    },
  }
}

/** The earliest timer up to `until`; of two at one time the one set first, as a `Set` keeps insertion order. */
function next(timers: Set<Timer>, until: number): Timer | undefined {
  let first: Timer | undefined
  for (const timer of timers) if (timer.at <= until && (!first || timer.at < first.at)) first = timer
  return first
}

/** Lets promise callbacks run, however many are chained. */
function settle(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}

function reason(signal: AbortSignal | undefined): Error {
  return signal?.reason instanceof Error ? signal.reason : new Error(String(signal?.reason))
}
