import { ClickHouseError } from '@clickhouse/client'

// Codes with which ClickHouse refuses one row of an insert; the insert as a whole is not stored then.
const POISON = new Set(['6', '25', '26', '27', '38', '41', '69', '72', '117', '130', '131'])
// UNKNOWN_TABLE, UNKNOWN_DATABASE: someone dropped the archive under the writer.
const SCHEMA_GONE = new Set(['60', '81'])
// ACCESS_DENIED, and those of a name or password that is wrong.
const DENIED = new Set(['192', '193', '194', '497', '516'])

/** Whether the server says that a row can't be read: trying again can't help. */
export const isPoison = (error: unknown): boolean => error instanceof ClickHouseError && POISON.has(error.code)

/** Whether the archive's tables are not there. */
export const isSchemaGone = (error: unknown): boolean => error instanceof ClickHouseError && SCHEMA_GONE.has(error.code)

/** Whether this user may not do that, or is none. */
export const isDenied = (error: unknown): boolean => error instanceof ClickHouseError && DENIED.has(error.code)

/** The server's code, or '' for an error that did not come from it (connection, time-out). */
export const codeOf = (error: unknown): string => (error instanceof ClickHouseError ? error.code : '')
