/** Does what it is given a while later, in the order it came, whatever each one's delay. */
export type DelayLine = {
  /** At once when there is no delay and nothing waits before it. */
  push(task: () => void, delayMs: number): void
  /** Does nothing more until `release`. */
  hold(): void
  release(): void
  /** Forgets what waits. */
  clear(): void
}

type Waiting = { readonly task: () => void; readonly due: number }

export function delayLine(): DelayLine {
  const waiting: Waiting[] = []
  let isHeld = false
  let timer: NodeJS.Timeout | undefined

  function run(): void {
    clearTimeout(timer)
    timer = undefined
    while (isDue()) waiting.shift()!.task()
    if (!isHeld && waiting[0]) timer = setTimeout(run, Math.max(1, Math.ceil(waiting[0].due - performance.now())))
  }

  function isDue(): boolean {
    return !isHeld && waiting[0] !== undefined && waiting[0].due <= performance.now()
  }

  return {
    push(task, delayMs) {
      if (delayMs === 0 && waiting.length === 0 && !isHeld) return task()
      waiting.push({ task, due: Math.max(performance.now() + delayMs, waiting.at(-1)?.due ?? 0) })
      if (!timer) run()
    },
    hold() {
      isHeld = true
    },
    release() {
      isHeld = false
      run()
    },
    clear() {
      waiting.length = 0
      clearTimeout(timer)
    },
  }
}
