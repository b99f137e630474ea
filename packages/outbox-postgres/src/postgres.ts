/*
 * What is asked of `pg`, written down so that a program which has only kysely (or only pg) needs no types of the other.
 */

export type PgResult = { readonly rows: Record<string, unknown>[] }

/** A connection; pg's `Client` and `PoolClient` fit. */
export interface PgQueryable {
  query(text: string, values?: unknown[]): Promise<PgResult>
}

/** A connection out of a pool; pg's `PoolClient` fits. */
export interface PgClient extends PgQueryable {
  on(event: 'notification', listener: (message: { channel: string; payload?: string | undefined }) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'end', listener: () => void): unknown
  /** With an error or `true` the connection is closed. */
  release(error?: Error | boolean): void
}

/** pg's `Pool` fits. */
export interface PgPool {
  connect(): Promise<PgClient>
}

/** A kysely `Transaction` fits. */
export interface KyselyTransaction {
  readonly isTransaction: true
  // oxlint-disable-next-line typescript/no-explicit-any -- kysely's own types would make it a dependency of pg users
  executeQuery(query: any): Promise<{ rows: unknown[] }>
}
