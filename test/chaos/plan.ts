import type { Nemesis } from './nemeses/nemesis.ts'
import { seededRandom, shuffled } from './seeded-random.ts'
import type { Random } from './random.ts'
import type { Topology } from './system.ts'

/** One nemesis at work. Several may overlap. */
export type Step = {
  nemesis: string
  /** Ms since the load began. */
  fromMs: number
  forMs: number
  /** Of the nemesis's own choices: which process, which connection. */
  seed: number
}

export type Plan = { seed: number; topology: Topology; durationMs: number; steps: Step[] }

export type PlanOptions = {
  seed: number
  topology: Topology
  durationMs: number
  nemeses: readonly Pick<Nemesis, 'name' | 'on' | 'isEarly'>[]
}

/** Before the first fault and after the last one, ms. */
const CALM_MS = 3000
/** How long a fault lasts, and how long nothing is wrong between two, ms. */
const FAULT_MS = [1500, 9000] as const
const PAUSE_MS = [800, 4000] as const
/** Now and then one outlasts time-outs; only where the run is long enough to see what comes after it. */
const LONG_FAULT_MS = [15_000, 40_000] as const
const LONG_RUN_MS = 5 * 60_000
const LONG_CHANCE = 0.08
/** Of two at a time, and of three. */
const PAIR_CHANCE = 0.35
const THREE_CHANCE = 0.1
/** Those of one time begin within this, ms. */
const APART_MS = 1500
/** Of a run: the part in which those come that only come early. */
const EARLY_PART = 0.15

/** What happens when. Follows from the options alone. Each nemesis comes before any comes again. */
export function makePlan({ seed, topology, durationMs, nemeses }: PlanOptions): Plan {
  const random = seededRandom(seed)
  const those = nemeses.filter(({ on }) => on.includes(topology))
  const steps: Step[] = []
  let waiting: string[] = []
  let at = CALM_MS
  for (;;) {
    const together: Step[] = []
    const isLate = at > durationMs * EARLY_PART
    const names = those.filter(({ isEarly }) => !isEarly || !isLate).map(({ name }) => name)
    waiting = waiting.filter((name) => names.includes(name))
    for (let left = howMany(random, names.length); left > 0; left -= 1) {
      if (waiting.length === 0) waiting = shuffled(names, random)
      const fromMs = at + (together.length === 0 ? 0 : random.int(0, APART_MS))
      const forMs = howLong(random, durationMs)
      together.push({ nemesis: waiting.shift()!, fromMs, forMs, seed: random.int(0, 2 ** 31 - 1) })
    }
    const end = Math.max(...together.map(({ fromMs, forMs }) => fromMs + forMs))
    if (names.length === 0 || end > durationMs - CALM_MS) return { seed, topology, durationMs, steps }
    steps.push(...together)
    at = end + random.int(...PAUSE_MS)
  }
}

function howMany(random: Random, most: number): number {
  const wanted = random.chance(THREE_CHANCE) ? 3 : random.chance(PAIR_CHANCE) ? 2 : 1
  return Math.min(wanted, most)
}

function howLong(random: Random, durationMs: number): number {
  const isLong = durationMs >= LONG_RUN_MS && random.chance(LONG_CHANCE)
  const [least, most] = isLong ? LONG_FAULT_MS : FAULT_MS
  return random.int(least, most)
}
