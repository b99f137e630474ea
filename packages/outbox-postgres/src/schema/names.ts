import { isMatch, shown } from '@malha/mesh'
import { OutboxError } from '../errors.ts'

/** How many partitions keys are spread over: the unit that one relay owns at a time. Part of the table format. */
export const PARTITIONS = 64

/** Names in one database: two outboxes in two schemas do not meet. */
export type OutboxNames = {
  readonly schema: string
  /** The schema as SQL has it: its name may be one of SQL's own words. */
  readonly quoted: string
  /** The table. */
  readonly table: string
  /** What `NOTIFY` uses. */
  readonly channel: string
  /** First numbers of advisory locks: of transactions that add, of relays that own a partition, of relays that are there. */
  readonly locks: { readonly writers: number; readonly owners: number; readonly members: number }
}

/** @throws OutboxError OUTBOX_INVALID_OPTIONS */
export function outboxNames(schema: string = 'malha'): OutboxNames {
  if (!isMatch(schema, /^(?!pg_)[a-z_][a-z0-9_]{0,47}$/))
    throw new OutboxError(
      'OUTBOX_INVALID_OPTIONS',
      `schema ${shown(schema)}: a-z, 0-9 and _, not beginning with a digit or pg_, 48 at most`,
    )
  return {
    schema,
    quoted: `"${schema}"`,
    table: `"${schema}".outbox`,
    channel: `${schema}_outbox`,
    locks: {
      writers: lockNumber(`${schema}.outbox writers`),
      owners: lockNumber(`${schema}.outbox owners`),
      members: lockNumber(`${schema}.outbox members`),
    },
  }
}

/** FNV-1a of a name, 31 bits: advisory locks have numbers only. */
function lockNumber(name: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < name.length; index++) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193)
  return (hash >>> 0) & 0x7fffffff
}
