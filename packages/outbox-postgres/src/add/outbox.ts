import { hostname } from 'node:os'
import { type Contract, keyToken, partitionOf, prepareEvent, type PrepareOptions } from '@malha/mesh'
import { OutboxError } from '../errors.ts'
import { outboxNames, PARTITIONS } from '../schema/names.ts'
import { executeIn, type Transaction } from './transaction.ts'

/** As `mesh.publish` takes them. With `once`, a row whose key has another event already becomes dead. */
export type AddOptions = Omit<PrepareOptions, 'from'>

export interface Outbox {
  /**
   * Adds one event to be published after the transaction has committed, and never if it is rolled back. It is checked by
   * its contract now; id, time, key, correlation and trace context are fixed now.
   * @param tx a pg client between BEGIN and COMMIT, or a kysely `Transaction`
   * @throws MeshError MESH_INVALID_PAYLOAD | MESH_INVALID_KEY | MESH_INVALID_HEADER | MESH_INVALID_CONTRACT
   * @throws OutboxError OUTBOX_NOT_A_TRANSACTION | OUTBOX_NOT_MIGRATED
   */
  add<In, Out>(tx: Transaction, contract: Contract<In, Out>, data: In, options?: AddOptions): Promise<{ id: string }>
}

export type OutboxOptions = {
  /** Who publishes, in `ce-source`: the service's name. @default host name/process id */
  name?: string
  /** Where the tables are. @default 'malha' */
  schema?: string
}

/**
 * An outbox in a schema of the user's own database.
 * @throws OutboxError OUTBOX_INVALID_OPTIONS
 */
export function postgresOutbox(options: OutboxOptions = {}): Outbox {
  const { schema, quoted } = outboxNames(options.schema)
  const from = options.name ?? `${hostname()}/${process.pid}`
  return {
    async add(tx, contract, data, addOptions = {}) {
      const execute = await executeIn(tx)
      const { payload, ...message } = await prepareEvent(contract, data, { from, ...addOptions })
      const { id, key } = message.envelope
      // As a token: PostgreSQL's text takes no U+0000.
      const orderKey = key === undefined ? undefined : keyToken(key)
      const partition = partitionOf(orderKey ?? id, PARTITIONS)
      try {
        await execute(`SELECT ${quoted}.outbox_add($1, $2, $3, $4, $5)`, [
          message.stream,
          partition,
          orderKey ?? null,
          JSON.stringify(message),
          payload,
        ])
      } catch (error) {
        throw isMissing(error)
          ? new OutboxError('OUTBOX_NOT_MIGRATED', `schema ${schema} has no outbox`, { cause: error })
          : error
      }
      return { id }
    },
  }
}

/** The outbox in the schema `malha`. */
export const outbox: Outbox = postgresOutbox()

/** PostgreSQL's codes for a schema and a function that are not there. */
function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === '3F000' || error.code === '42883')
}
