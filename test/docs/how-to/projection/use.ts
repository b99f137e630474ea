import { clickHouseOptions, eventArchive } from '@malha/archive'
import type { Mesh, Metrics } from '@malha/mesh'
import { confirmSwap, readProjection, runProjection, type RunningProjection, swapTo } from '@malha/patterns'
import { balances } from './balances.ts'

// #region run
/** In the service's process, beside its handlers; in as many processes as there are. */
export async function keepBalances(mesh: Mesh, metrics: Metrics): Promise<RunningProjection> {
  return await runProjection(mesh, balances, { metrics })
}
// #endregion

// #region read
export async function balanceOf(mesh: Mesh, accountId: string): Promise<number | undefined> {
  const reader = await readProjection(mesh, balances)
  return (await reader.get(accountId))?.cents
}
// #endregion

// #region swap
/** The new version is right: the ones before go. */
export const keepTheNewOne = (mesh: Mesh): Promise<number[]> => confirmSwap(mesh, balances)

/** It is wrong: readers get the one before again, as long as nobody has confirmed. */
export const backToTheOldOne = (mesh: Mesh): Promise<void> => swapTo(mesh, 'balances', 1)
// #endregion

// #region archive
/** Reads on in ClickHouse where the stream has forgotten. */
export const keepBalancesFromTheBeginning = (mesh: Mesh): Promise<RunningProjection> =>
  runProjection(mesh, balances, { archive: eventArchive(clickHouseOptions(process.env)) })
// #endregion
