import { request } from '@malha/mesh'
import { z } from 'zod'

// #region contract
export const priceQuote = request('price.quote', {
  schema: z.object({ sku: z.string(), quantity: z.number().int().positive() }),
  reply: z.object({ cents: z.number().int() }),
  errors: { 'price.unknown': z.object({ sku: z.string() }) },
  idempotent: true,
})
// #endregion

// #region streaming
export const priceList = request('price.list', {
  schema: z.object({ prefix: z.string() }),
  reply: z.object({ sku: z.string(), cents: z.number().int() }),
  streaming: true,
})
// #endregion
