import type { Contract } from '@malha/mesh'
import type { Kysely, Transaction } from 'kysely'
import type pg from 'pg'
import { expectTypeOf, test } from 'vitest'
import { migrateOutbox, outbox, relayOutbox } from '../src/index.ts'

declare const client: pg.Client
declare const pooled: pg.PoolClient
declare const pool: pg.Pool
declare const kysely: Kysely<{ orders: { id: string } }>
declare const transaction: Transaction<{ orders: { id: string } }>
declare const placed: Contract<{ orderId: string }>

test('pg clients and kysely transactions are taken, with the contract’s data', () => {
  const data = { orderId: 'o1' }
  expectTypeOf(outbox.add(client, placed, data)).resolves.toEqualTypeOf<{ id: string }>()
  expectTypeOf(outbox.add(pooled, placed, data)).resolves.toEqualTypeOf<{ id: string }>()
  expectTypeOf(outbox.add(transaction, placed, data)).resolves.toEqualTypeOf<{ id: string }>()
  expectTypeOf(migrateOutbox).toBeCallableWith(pool)
  expectTypeOf(relayOutbox).parameter(1).not.toBeAny()
})

test('a kysely instance, and other data, are not', () => {
  // @ts-expect-error -- it is no transaction
  void outbox.add(kysely, placed, { orderId: 'o1' })
  // @ts-expect-error -- not the contract’s data
  void outbox.add(client, placed, { orderId: 1 })
})
