import { decodePayload, type Envelope } from '@malha/mesh'
import { expect, test } from 'vitest'
import { orderPlaced } from './change-a-contract.ts'

const read = (version: number, data: unknown): Promise<unknown> => {
  const envelope = { type: 'order.placed', version, contentType: 'application/json' } as Envelope
  return decodePayload(orderPlaced, envelope, new TextEncoder().encode(JSON.stringify(data)))
}

test('every older version is brought to the newest one', async () => {
  const order = { orderId: 'o1', total: { amount: 9, currency: 'BRL' } }
  expect(await read(1, { orderId: 'o1', total: 9 })).toEqual(order)
  expect(await read(2, { orderId: 'o1', total: 9, currency: 'BRL' })).toEqual(order)
  expect(await read(3, order)).toEqual(order)
  await expect(read(2, { orderId: 'o1', total: 9 })).rejects.toThrow(/MESH_SCHEMA_MISMATCH[^]*total.currency/)
})
