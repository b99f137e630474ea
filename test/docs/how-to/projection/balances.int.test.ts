import { noMetrics } from '@malha/mesh'
import { projection, readProjection, runProjection } from '@malha/patterns'
import { testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { accountWith40 } from './account-with-40.ts'
import { balances } from './balances.ts'
import { backToTheOldOne, balanceOf, keepBalances, keepTheNewOne } from './use.ts'

test('balances are made again beside the old ones, swapped, taken back and confirmed, as the page shows it', async () => {
  await using t = await testMesh()
  const { mesh } = t
  await accountWith40(mesh)
  const { events } = balances
  // The version before forgot what was taken.
  const before = projection('balances', {
    version: 1,
    events,
    project: (view: { cents: number } | undefined, { type, data }) => ({
      cents: (view?.cents ?? 0) + (type === 'added' ? data.cents : 0),
    }),
  })
  {
    await using first = await runProjection(mesh, before)
    await first.caughtUp
  }
  expect(await balanceOf(mesh, 'a-1')).toBe(70)
  await using running = await keepBalances(mesh, noMetrics)
  await running.caughtUp
  expect(await balanceOf(mesh, 'a-1')).toBe(40)
  await backToTheOldOne(mesh)
  expect(await balanceOf(mesh, 'a-1')).toBe(70)
  await using _again = await keepBalances(mesh, noMetrics)
  await _again.caughtUp
  // Taken back by hand it stays so, until the next version.
  expect(await balanceOf(mesh, 'a-1')).toBe(70)
  const next = projection('balances', { ...balances, version: 3 })
  await using third = await runProjection(mesh, next)
  await third.caughtUp
  expect((await (await readProjection(mesh, next)).get('a-1'))?.cents).toBe(40)
  expect(await keepTheNewOne(mesh)).toEqual([2, 1])
})
