import { isReplyError, type Mesh } from '@malha/mesh'
import { priceList, priceQuote } from './prices.ts'

// #region ask
/** What `quantity` pieces cost; undefined when nobody sells them. */
export async function priceOf(mesh: Mesh, sku: string, quantity: number): Promise<number | undefined> {
  try {
    const { cents } = await mesh.request(priceQuote, { sku, quantity }, { timeoutMs: 1_000, waitForResponder: true })
    return cents
  } catch (error) {
    if (isReplyError(error, priceQuote) && error.code === 'price.unknown') return undefined
    throw error
  }
}
// #endregion

// #region parts
export async function cheapest(mesh: Mesh, prefix: string): Promise<string | undefined> {
  let best: { sku: string; cents: number } | undefined
  for await (const price of mesh.requestStream(priceList, { prefix }, { timeoutMs: 10_000 }))
    if (best === undefined || price.cents < best.cents) best = price
  return best?.sku
}
// #endregion
