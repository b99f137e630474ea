/* oxlint-disable vitest/expect-expect -- a specification asserts in its .then(…) */
import { specification } from '@malha/testing'
import { test } from 'vitest'
import { pricing } from './pricing.ts'

// #region test
test('a price is quoted for the quantity, and what nobody sells is told apart', async () => {
  const { quote } = pricing(new Map([['tea', 450]])).replies
  await specification(quote)
    .when({ sku: 'tea', quantity: 2 })
    .then({ reply: { cents: 900 } })
  await specification(quote)
    .when({ sku: 'cocoa', quantity: 1 })
    .then({ error: 'price.unknown', data: { sku: 'cocoa' } })
})
// #endregion
