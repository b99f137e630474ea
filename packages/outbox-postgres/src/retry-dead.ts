import type { PgPool } from './postgres.ts'
import { outboxNames } from './schema/names.ts'

/**
 * Puts dead rows back at the end of the outbox, in their order, so that they are published after what was added since.
 * @returns how many
 * @throws OutboxError OUTBOX_INVALID_OPTIONS
 */
export async function retryDeadRows(
  pool: PgPool,
  options: { schema?: string; /** Of rows. @default all that are dead */ ids?: readonly number[] } = {},
): Promise<number> {
  const { quoted } = outboxNames(options.schema)
  const client = await pool.connect()
  try {
    const { rows } = await client.query(`SELECT ${quoted}.outbox_retry_dead($1::bigint[]) AS count`, [
      options.ids ?? null,
    ])
    return Number(rows[0]?.['count'])
  } finally {
    client.release()
  }
}
