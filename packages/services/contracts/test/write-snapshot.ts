// #region write
import { writeFileSync } from 'node:fs'
import { contractsSnapshot } from '@malha/mesh'
import { centerOnboarded, centerRegistered, cityRegistered, providerCreated } from '@malha/contracts'

const snapshot = contractsSnapshot([centerOnboarded, centerRegistered, cityRegistered, providerCreated])
writeFileSync(new URL('../contracts.json', import.meta.url), `${JSON.stringify(snapshot, null, 2)}\n`)
// #endregion
