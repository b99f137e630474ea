import { defineService, reply, replyError, type ServiceDef } from '@malha/mesh'
import { priceList, priceQuote } from './prices.ts'

export type Prices = ReadonlyMap<string, number>

// #region answer
export function pricing(prices: Prices): ServiceDef {
  return defineService('pricing', {
    handlers: {},
    replies: {
      quote: reply(priceQuote, { concurrency: 32, timeoutMs: 2_000 }, ({ sku, quantity }) => {
        const cents = prices.get(sku)
        if (cents === undefined) throw replyError(priceQuote, 'price.unknown', { sku })
        return { cents: cents * quantity }
      }),
      list: reply(priceList, async function* ({ prefix }) {
        for (const [sku, cents] of prices) if (sku.startsWith(prefix)) yield { sku, cents }
      }),
    },
  })
}
// #endregion
