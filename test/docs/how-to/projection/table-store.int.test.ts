import { DatabaseSync } from 'node:sqlite'
import { openAggregate } from '@malha/patterns'
import { testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { account } from '../aggregate/account.ts'
import { teller } from '../aggregate/service.ts'
import { balanceFrom, keepBalancesIn } from './table-store.ts'

test('balances are kept in tables of one’s own, as the page shows it', async () => {
  await using t = await testMesh()
  const { mesh } = t
  await mesh.provision(await teller(mesh))
  const accounts = await openAggregate(mesh, account)
  await accounts.execute('a-1', { kind: 'open', accountId: 'a-1', limitCents: 0 })
  await accounts.execute('a-1', { kind: 'add', cents: 70 })
  await accounts.execute('a-1', { kind: 'take', cents: 30 })
  using db = new DatabaseSync(':memory:')
  await using running = await keepBalancesIn(mesh, db)
  await running.caughtUp
  expect(await balanceFrom(mesh, db, 'a-1')).toBe(40)
  expect(await balanceFrom(mesh, db, 'a-2')).toBeUndefined()
})
