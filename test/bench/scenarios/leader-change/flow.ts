import { setTimeout as sleep } from 'node:timers/promises'
import { monotonicUs } from '../../measure.ts'

/** Orders that are published all the time, and when each came. */
export interface Flow {
  /** Publishes from now on. */
  start(): void
  /** An order is handled, perhaps not for the first time. */
  handled(orderId: string): void
  /** Resolves when deliveries have come without a pause for a while. */
  untilSteady(): Promise<void>
  /** The longest time without a delivery since then, once they come steadily again, ms; `boundMs` if they do not by then. */
  longestGap(since: { us: number; boundMs: number }): Promise<number>
  /** Publishes no more. Resolves when all that is stored was handled. @throws Error when some was not */
  drain(): Promise<void>
}

export type FlowOptions = {
  perSecond: number
  /** Resolves when order `n` is stored; what is refused is not counted. */
  publish: (n: number) => Promise<unknown>
}

const TICK_MS = 5
/** Deliveries are steady if for so long none came later behind the one before than a pause. */
const STEADY_MS = 2000
const PAUSE_MS = 500
const LOOK_MS = 50
const DRAIN_MS = 60_000

export function flowOf({ perSecond, publish }: FlowOptions): Flow {
  const handled = new Set<number>()
  const stored = new Set<number>()
  let arrivals: number[] = []
  let published = 0
  let inFlight = 0
  let timer: NodeJS.Timeout | undefined

  const publishOne = async (n: number): Promise<void> => {
    inFlight++
    try {
      await publish(n)
      stored.add(n)
    } catch {
      // It may be stored or not; nobody was told that it is.
    }
    inFlight--
  }
  /** Since a moment, the first of them counted from there, the last one to now. µs */
  const gapsSince = (since: number): number => {
    let longest = 0
    let last = since
    for (const at of [...arrivals.filter((at) => at > since), monotonicUs()]) {
      longest = Math.max(longest, at - last)
      last = at
    }
    return longest
  }
  const isSteady = (): boolean => gapsSince(monotonicUs() - STEADY_MS * 1000) < PAUSE_MS * 1000
  const missing = (): number[] => [...stored].filter((n) => !handled.has(n))

  const isOpen = (): boolean => inFlight > 0 || missing().length > 0

  return {
    start() {
      const startedAt = performance.now()
      const before = published
      timer = setInterval(() => {
        const due = before + Math.floor(((performance.now() - startedAt) / 1000) * perSecond)
        while (published < due) void publishOne(published++)
      }, TICK_MS)
    },
    handled(orderId) {
      const n = Number(orderId.slice(2))
      // One that is delivered again tells nothing of those that wait.
      if (handled.has(n)) return
      handled.add(n)
      arrivals.push(monotonicUs())
    },
    async untilSteady() {
      while (!isSteady()) await sleep(LOOK_MS)
    },
    async longestGap({ us, boundMs }) {
      const from = arrivals.findLast((at) => at <= us) ?? us
      await sleep(Math.max(0, STEADY_MS - (monotonicUs() - us) / 1000))
      while (!isSteady()) {
        if (monotonicUs() - us > boundMs * 1000) return boundMs
        await sleep(LOOK_MS)
      }
      const gapMs = gapsSince(from) / 1000
      arrivals = []
      return Math.min(gapMs, boundMs)
    },
    async drain() {
      clearInterval(timer)
      const startedAt = performance.now()
      while (isOpen()) {
        if (performance.now() - startedAt > DRAIN_MS)
          throw new Error(`${missing().length} of ${stored.size} orders that were stored were never handled`)
        await sleep(LOOK_MS)
      }
    },
  }
}
