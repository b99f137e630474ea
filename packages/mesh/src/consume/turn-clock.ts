/** Two clocks, read once in a turn of the event loop: a turn may hold a thousand messages, and a clock is dear to read. */
let isFresh = false
let monotonicMs = 0
let wallMs = 0

function refresh(): void {
  if (isFresh) return
  isFresh = true
  monotonicMs = performance.now()
  wallMs = Date.now()
  setImmediate(() => (isFresh = false))
}

/** As `performance.now()`, at most a turn ago. */
export function turnNow(): number {
  refresh()
  return monotonicMs
}

/** Unix ms of a time of `performance.now()` in this turn. */
export function wallTimeOf(monotonic: number): number {
  refresh()
  return wallMs + monotonic - monotonicMs
}
