import { type CenterOnboarded, centerOnboarded } from '@malha/contracts'
import { type HandlerDef, onBatch, Reject } from '@malha/mesh'

declare const warehouse: {
  insert(rows: readonly CenterOnboarded[], signal: AbortSignal): Promise<{ refused: { index: number; why: string }[] }>
}

// #region bulk
/** One insert for up to 500 events, or for what came within 200 ms. */
export const load: HandlerDef = onBatch(
  centerOnboarded,
  { size: 500, maxAgeMs: 200, startFrom: 'all' },
  async (batch, ctx) => {
    const rows = batch.map(({ data }) => data)
    const { refused } = await warehouse.insert(rows, ctx.signal)
    for (const { index, why } of refused) batch[index]?.fail(new Reject(why))
  },
)
// #endregion
