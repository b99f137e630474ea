import { planArchive } from './archive.ts'
import { asMade } from './as-made.ts'
import { planAssets } from './assets.ts'
import { type Constants, measuredConstants } from './constants.ts'
import { type Load, type LoadOptions, resolveLoad } from './load.ts'
import { planMemory } from './memory.ts'
import { planRates } from './rates.ts'
import { type Figure, type Limit, openSheet } from './sheet.ts'
import { spreadOf } from './spread.ts'
import { planStorage } from './stored.ts'

/** What a load needs, and how far each limit is. */
export type CapacityPlan = {
  readonly load: Load
  readonly figures: readonly Figure[]
  /** The one that is met first is the first. */
  readonly limits: readonly Limit[]
  /** On what the rates were measured. */
  readonly measuredOn: string
}

/**
 * Computes what a load needs of nats-servers, instances and ClickHouse. Pure.
 * @param constants Those of your own machines. @default as measured with this release
 * @throws DeploymentError DEPLOYMENT_LOAD with every fault
 */
export function planCapacity(given: LoadOptions, constants: Constants = measuredConstants): CapacityPlan {
  const load = resolveLoad(given)
  const sheet = openSheet(constants)
  const parts = { sheet, spread: spreadOf(load), made: asMade(load) }
  const stored = planStorage(load, parts)
  const assets = planAssets(load, parts.made, sheet)
  planMemory(load, { ...parts, stored, assets })
  planRates(load, parts)
  planArchive(load, sheet)
  const limits = sheet.limits.toSorted((a, b) => a.factor - b.factor)
  return { load, figures: sheet.figures, limits, measuredOn: constants.measuredOn }
}
