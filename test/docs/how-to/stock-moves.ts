import { days, defineService, event, on, type ServiceDef, stream } from '@malha/mesh'
import { z } from 'zod'

const stock = stream('STOCK', { subjects: ['stock.>'], maxAgeMs: days(30) })

/** So many pieces of a product came in, or went out where `pieces` is below zero. */
export const stockMoved = event('stock.moved', {
  stream: stock,
  schema: z.object({ product: z.string(), pieces: z.number().int() }),
  key: (move) => move.product,
})

// #region store
/** What a product's shelf holds: up to which move it is counted, and the fence of whoever wrote it last. */
export type Shelf = { pieces: number; upTo: number; by: number }

/** A store that refuses whoever was overtaken. In SQL: `UPDATE … WHERE product = $1 AND by <= $2`. */
export function shelves(): { get(product: string): Shelf; put(product: string, shelf: Shelf): void } {
  const kept = new Map<string, Shelf>()
  const get = (product: string): Shelf => kept.get(product) ?? { pieces: 0, upTo: 0, by: 0 }
  return {
    get,
    put(product, shelf) {
      if (shelf.by < get(product).by) throw new Error(`the shelf of ${product} was written by a later owner`)
      kept.set(product, shelf)
    },
  }
}
// #endregion

// #region service
export function warehouse(store: ReturnType<typeof shelves>): ServiceDef {
  return defineService('warehouse', {
    handlers: {
      count: on(stockMoved, { order: 'key', startFrom: 'all' }, (move, ctx) => {
        const { pieces, upTo } = store.get(move.product)
        // It was counted, and the process died before that was on record.
        if (ctx.source.seq <= upTo) return
        if (pieces + move.pieces < 0) throw new Error('more went out than was there')
        store.put(move.product, { pieces: pieces + move.pieces, upTo: ctx.source.seq, by: ctx.fence })
      }),
    },
  })
}
// #endregion
