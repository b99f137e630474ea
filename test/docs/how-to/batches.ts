import { type CenterOnboarded, centerOnboarded } from '@malha/contracts'
import { type HandlerDef, onBatch, Reject } from '@malha/mesh'

/** Somebody's own data warehouse: takes many rows, and says which it refused. */
export type Warehouse = {
  insert(rows: readonly CenterOnboarded[], signal: AbortSignal): Promise<{ refused: { index: number; why: string }[] }>
}

// #region bulk
/** One insert for up to 500 events, or for what came within 200 ms. */
export function load(warehouse: Warehouse): HandlerDef {
  return onBatch(centerOnboarded, { size: 500, maxAgeMs: 200, startFrom: 'all' }, async (batch, ctx) => {
    const rows = batch.map(({ data }) => data)
    const { refused } = await warehouse.insert(rows, ctx.signal)
    for (const { index, why } of refused) batch[index]?.fail(new Reject(why))
  })
}
// #endregion
