import type { JsonChange } from '@malha/operations'
import type { Change } from './schemas/changes.ts'

/** What a page shows of a correction at most. */
export const MOST_CHANGES = 200
const MOST_TEXT = 2000

/** Changes of a payload, as a page shows them. */
export const changesView = (changes: readonly JsonChange[]): Change[] => changes.slice(0, MOST_CHANGES).map(changeOf)

function changeOf(change: JsonChange): Change {
  const { op, path } = change
  return {
    op,
    path,
    ...('from' in change && { from: change.from }),
    ...('value' in change && { value: (JSON.stringify(change.value) ?? '').slice(0, MOST_TEXT).toWellFormed() }),
  }
}
