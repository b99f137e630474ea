import type { ClickHouseClient } from '@clickhouse/client'
import { isSchemaGone } from '../clickhouse/faults.ts'
import { select } from '../clickhouse/run.ts'

/*
 * A ClickHouse that lost its disk comes back empty, and whichever writer notices first makes the tables anew. The others would go
 * on writing where they were: the cursor would be theirs, and what they wrote before would be missing for ever, with no error.
 */

/** Tells a session whether it still writes into the table in which it read its cursor. */
export type SameTable = {
  /**
   * Asked before each insert.
   * @throws Error the table was made anew; ClickHouse's own when it is gone
   */
  readonly assert: () => Promise<void>
  /** Ends the asking on its own, which a stream without new events relies on. */
  readonly close: () => void
}

/** Looks at the table as it is now, and every `everyMs` from then on; `onOther` hears, once, that it is gone or another one. */
export async function watchTable(
  client: ClickHouseClient,
  { everyMs, onOther }: { everyMs: number; onOther: (error: unknown) => void },
): Promise<SameTable> {
  const id = await tableId(client)
  const assert = async (): Promise<void> => {
    const now = await tableId(client)
    if (now !== id)
      throw new TableChanged('the tables of the archive were made anew: read from the start of the stream')
  }
  let isLooking = false
  const look = (): void => {
    if (isLooking) return
    isLooking = true
    assert()
      .catch((error: unknown) => {
        // One that does not answer may be the same when it does.
        if (isSchemaGone(error) || error instanceof TableChanged) onOther(error)
      })
      .finally(() => (isLooking = false))
  }
  const timer = setInterval(look, everyMs).unref()
  return { assert, close: () => clearInterval(timer) }
}

/** Never stored where it was to be: the session has to begin again. */
export class TableChanged extends Error {}

async function tableId(client: ClickHouseClient): Promise<string> {
  const [row] = await select<{ id: string }>(
    client,
    `SELECT toString(uuid) AS id FROM system.tables WHERE database = 'archive' AND name = 'events'`,
  )
  // Refused with the code for what is missing, table or database.
  if (!row) await select(client, 'SELECT 1 FROM archive.events LIMIT 0')
  return row?.id ?? ''
}
