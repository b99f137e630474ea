import { defineService, event, type Mesh, stream } from '@malha/mesh'
import { windowed } from '../../windowed.ts'

/** How many pieces of a product came or went; `nth` counts the moves of its product from 1. */
export type Move = { product: string; nth: number; pieces: number; note: string }

export const PARTITIONS = 8
const KEYS = 10_000

export const moves = stream('MOVES', { subjects: ['stock.>'], partitions: PARTITIONS, maxBytes: 4 * 1024 ** 3 })

const believed = {
  '~standard': { version: 1, vendor: 'bench', validate: (value: unknown) => ({ value: value as Move }) },
} as const

export const stockMoved = event<Move>('stock.moved', { stream: moves, schema: believed, key: ({ product }) => product })

/** Stores moves of 10,000 products, whichever comes next drawn at random, always in the same way. */
export async function storeMoves(mesh: Mesh, { count, bytes }: { count: number; bytes: number }): Promise<void> {
  await mesh.provision(defineService('bench', { handlers: {}, publishes: [stockMoved] }))
  const nths = new Map<string, number>()
  const draw = drawing(KEYS)
  const note = 'n'.repeat(
    Math.max(0, bytes - JSON.stringify({ product: 'p-0000', nth: 1, pieces: 1, note: '' }).length),
  )
  await windowed(count, 1024, () => {
    const product = `p-${String(draw()).padStart(4, '0')}`
    const nth = (nths.get(product) ?? 0) + 1
    nths.set(product, nth)
    return mesh.publish(stockMoved, { product, nth, pieces: 1, note })
  })
}

/** Numbers below `most` that look random and are the same each time (a linear congruential generator, as in Numerical Recipes). */
function drawing(most: number): () => number {
  let state = 1
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * most)
  }
}
