import { uniformInt } from 'pure-rand/distribution/uniformInt'
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus'
import type { Random } from './random.ts'

const FINE = 1_000_000

/** @param seed 32 bits of it count */
export function seededRandom(seed: number): Random {
  const generator = xoroshiro128plus(seed)
  const int = (least: number, most: number): number => uniformInt(generator, least, most)
  return {
    int,
    pick(from) {
      if (from.length === 0) throw new RangeError('there is nothing to pick from')
      return from[int(0, from.length - 1)]!
    },
    chance: (probability) => int(0, FINE - 1) < probability * FINE,
  }
}

/** The same elements in another order. */
export function shuffled<T>(from: readonly T[], random: Random): T[] {
  const rest = [...from]
  return Array.from(from, () => rest.splice(random.int(0, rest.length - 1), 1)[0]!)
}
