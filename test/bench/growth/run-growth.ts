import { startBroker } from '../broker.ts'
import { theVersions, thisMachine } from '../machine.ts'
import { connectBench } from '../orders.ts'
import { median } from '../ratio.ts'
import type { BenchResult } from '../result.ts'
import { type Curve, type Point, powerOf } from './curve.ts'
import { curve as deadLetters } from './curves/dead-letters.ts'
import { curve as handlers } from './curves/handlers.ts'
import { curve as keys } from './curves/keys.ts'
import { curve as messageSize } from './curves/message-size.ts'

const CURVES: Readonly<Record<string, Curve>> = {
  'message-size': messageSize,
  keys,
  'dead-letters': deadLetters,
  handlers,
}

/** Of each place the median of so many, but of the last one of a curve, which takes as long as all others. */
const REPEATS = 3

export type CurveResult = {
  readonly name: string
  readonly title: string
  readonly x: string
  readonly points: readonly Point[]
  /** By figure: the power of x it grew by. */
  readonly powers: Readonly<Record<string, number>>
}

export type GrowthResult = Pick<BenchResult, 'machine' | 'versions' | 'startedAt'> & {
  readonly curves: readonly CurveResult[]
}

export type GrowthOptions = {
  /** @default all */
  only?: readonly string[]
  signal: AbortSignal
  /** Hears which place of which curve is measured. */
  say: (what: string) => void
}

/** Measures how prices grow, each place on a fresh server. The first place is done once beforehand, to warm up. */
export async function runGrowth(options: GrowthOptions): Promise<GrowthResult> {
  const startedAt = new Date().toISOString()
  const curves: CurveResult[] = []
  for (const [name, curve] of Object.entries(CURVES)) {
    if (options.only?.includes(name) === false) continue
    const points: Point[] = []
    await measure(curve, curve.places[0]!)
    for (const [index, x] of curve.places.entries()) {
      const figures: Record<string, number>[] = []
      const repeats = index === curve.places.length - 1 ? 1 : REPEATS
      for (let n = 1; n <= repeats; n++) {
        options.signal.throwIfAborted()
        options.say(`${name}: ${x} ${curve.x}, ${n} of ${repeats}`)
        figures.push(await measure(curve, x))
      }
      points.push({ x, figures: medians(figures) })
    }
    curves.push({ name, title: curve.title, x: curve.x, points, powers: powersOf(points) })
  }
  return { machine: thisMachine(), versions: await theVersions(), startedAt, curves }
}

async function measure(curve: Curve, x: number): Promise<Record<string, number>> {
  await using broker = await startBroker(1)
  await using mesh = await connectBench(broker.url, 1)
  return await curve.measure({ mesh, x })
}

function medians(all: readonly Record<string, number>[]): Record<string, number> {
  const names = Object.keys(all[0] ?? {})
  return Object.fromEntries(names.map((name) => [name, rounded(median(all.map((one) => one[name]!)))]))
}

const rounded = (value: number): number => Number(value.toPrecision(4))

function powersOf(points: readonly Point[]): CurveResult['powers'] {
  const names = Object.keys(points[0]?.figures ?? {})
  return Object.fromEntries(names.map((name) => [name, Number(powerOf(points, name).toFixed(2))]))
}
