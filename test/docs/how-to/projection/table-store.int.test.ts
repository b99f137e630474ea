import { DatabaseSync } from 'node:sqlite'
import { testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { accountWith40 } from './account-with-40.ts'
import { balanceFrom, keepBalancesIn } from './table-store.ts'

test('balances are kept in tables of one’s own, as the page shows it', async () => {
  await using t = await testMesh()
  const { mesh } = t
  await accountWith40(mesh)
  using db = new DatabaseSync(':memory:')
  await using running = await keepBalancesIn(mesh, db)
  await running.caughtUp
  expect(await balanceFrom(mesh, db, 'a-1')).toBe(40)
  expect(await balanceFrom(mesh, db, 'a-2')).toBeUndefined()
})
