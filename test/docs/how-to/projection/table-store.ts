import type { DatabaseSync } from 'node:sqlite'
import type { Mesh } from '@malha/mesh'
import {
  type Entry,
  type ProjectionStore,
  type ProjectionStores,
  readProjection,
  runProjection,
  type RunningProjection,
} from '@malha/patterns'
import { type Balance, balances } from './balances.ts'

// #region store
/** The balances of one version, in a table of their own. */
function tableStore(db: DatabaseSync, version: number): ProjectionStore<Balance> {
  const table = `balances_v${version}`
  db.exec(`CREATE TABLE IF NOT EXISTS ${table} (account TEXT PRIMARY KEY, entry TEXT NOT NULL)`)
  const read = (account: string): Entry<Balance> | undefined => {
    const row = db.prepare(`SELECT entry FROM ${table} WHERE account = ?`).get(account)
    return row && (JSON.parse(String(row['entry'])) as Entry<Balance>)
  }
  return {
    get: async (account) => read(account)?.view,
    async update(account, change) {
      db.exec('BEGIN IMMEDIATE')
      try {
        const entry = change(read(account))
        if (entry) db.prepare(`REPLACE INTO ${table} VALUES (?, ?)`).run(account, JSON.stringify(entry))
        db.exec('COMMIT')
      } catch (error) {
        db.exec('ROLLBACK')
        throw error
      }
    },
    drop: async () => db.exec(`DROP TABLE IF EXISTS ${table}`),
  }
}
// #endregion

// #region use
const storesIn =
  (db: DatabaseSync): ProjectionStores<Balance> =>
  async (version) =>
    tableStore(db, version)

export const keepBalancesIn = (mesh: Mesh, db: DatabaseSync): Promise<RunningProjection> =>
  runProjection(mesh, balances, { stores: storesIn(db) })

export async function balanceFrom(mesh: Mesh, db: DatabaseSync, accountId: string): Promise<number | undefined> {
  const reader = await readProjection(mesh, balances, { stores: storesIn(db) })
  return (await reader.get(accountId))?.cents
}
// #endregion
