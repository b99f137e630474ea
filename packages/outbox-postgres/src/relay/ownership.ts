import { PARTITIONS, type OutboxNames } from '../schema/names.ts'
import type { Session } from './session.ts'

const ALL = Array.from({ length: PARTITIONS }, (_, partition) => partition)
const OF_THIS_DATABASE = `locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`

/** Which partitions this relay owns: those whose advisory locks its session holds. Relays share them evenly. */
export class Ownership {
  readonly #session: Session
  readonly #names: OutboxNames
  readonly owned: Set<number> = new Set()
  /** Owned, but somebody else's turn: nothing new is started. */
  readonly leaving: Set<number> = new Set()

  constructor(session: Session, names: OutboxNames) {
    this.#session = session
    this.#names = names
  }

  /** Makes this relay count. */
  async join(): Promise<void> {
    await this.#session.query('SELECT pg_advisory_lock_shared($1, 0)', [this.#names.locks.members])
  }

  /** Takes free partitions up to this relay's share; marks what is above it as leaving. */
  async balance(): Promise<void> {
    const { rows } = await this.#session.query(
      `SELECT count(*)::int AS members FROM pg_locks WHERE ${OF_THIS_DATABASE} AND classid = $1`,
      [this.#names.locks.members],
    )
    const share = Math.ceil(PARTITIONS / Math.max(1, Number(rows[0]?.['members'])))
    const lacking = share - (this.owned.size - this.leaving.size)
    if (lacking > 0) await this.#take(lacking)
    const staying = [...this.owned].filter((partition) => !this.leaving.has(partition))
    for (const partition of staying.slice(share)) this.leaving.add(partition)
  }

  async release(partition: number): Promise<void> {
    await this.#session.query('SELECT pg_advisory_unlock($1, $2)', [this.#names.locks.owners, partition])
    this.leaving.delete(partition)
    this.owned.delete(partition)
  }

  async #take(count: number): Promise<void> {
    const own = [...this.leaving].slice(0, count)
    for (const partition of own) this.leaving.delete(partition)
    const free = ALL.filter((partition) => !this.owned.has(partition))
    if (count === own.length || free.length === 0) return
    const { rows } = await this.#session.query(
      'SELECT partition FROM unnest($2::int[]) AS partition WHERE pg_try_advisory_lock($1, partition) LIMIT $3',
      [this.#names.locks.owners, free, count - own.length],
    )
    for (const { partition } of rows) this.owned.add(Number(partition))
  }
}

export type Writers = { readonly lastId: number; readonly byPartition: ReadonlyMap<number, ReadonlySet<string>> }

/**
 * The query of the highest id given out. It asks the function behind the view `pg_sequences`, which waits for whoever is
 * taking a number: PostgreSQL writes a number ahead to its log every 33rd time (`SEQ_LOG_VALS` of its sequence.c), and for
 * that moment `last_value`, which a query reads without waiting, is 32 too high. `FROM` makes it an error not to be allowed to.
 */
export const lastIdQuery = ({ quoted }: OutboxNames): string =>
  `SELECT coalesce(pg_sequence_last_value('${quoted}.outbox_id'::regclass), 0) AS last FROM ${quoted}.outbox_id`

/** The highest id given out and, read after it, the transactions that are adding; see {@link Horizon}. */
export async function readWriters(session: Session, names: OutboxNames): Promise<Writers> {
  const { rows: ids } = await session.query(lastIdQuery(names))
  const { rows } = await session.query(
    `SELECT objid::int AS partition, virtualtransaction AS writer FROM pg_locks WHERE ${OF_THIS_DATABASE} AND classid = $1`,
    [names.locks.writers],
  )
  const byPartition = new Map<number, Set<string>>()
  for (const { partition, writer } of rows) {
    const writers = byPartition.get(Number(partition)) ?? new Set()
    byPartition.set(Number(partition), writers.add(String(writer)))
  }
  return { lastId: Number(ids[0]?.['last'] ?? 0), byPartition }
}
