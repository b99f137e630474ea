import { type Luck, LUCK } from './survivors.ts'
import { seededRandom } from '../chaos/seeded-random.ts'

/** A moment at which the power fails, and how lucky one is then. */
export type CutPoint = {
  number: number
  /** Microseconds since 1970. */
  at: number
  luck: Luck
  /** For what is drawn at this point. */
  seed: number
}

type Span = { begunAt: number; endedAt: number; acknowledged: ReadonlyMap<string, number> }

/**
 * Half of them at any time of the run, half at the very moment at which an event is acknowledged: later than that nothing
 * may be needed any more. Each luck has its turn.
 */
export function cutPoints(
  { begunAt, endedAt, acknowledged }: Span,
  { count, seed }: { count: number; seed: number },
): CutPoint[] {
  const random = seededRandom(seed)
  const moments = [...acknowledged.values()]
  return Array.from({ length: count }, (_, number) => {
    const anyTime = begunAt + random.int(0, endedAt - begunAt)
    const anAnswer = moments[random.int(0, moments.length - 1)]!
    const luck = LUCK[Math.floor(number / 2) % LUCK.length]!
    return { number, at: number % 2 === 0 ? anyTime : anAnswer, luck, seed: random.int(0, 2 ** 31 - 1) }
  })
}
