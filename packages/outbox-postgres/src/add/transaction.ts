import { OutboxError } from '../errors.ts'
import type { KyselyTransaction, PgQueryable } from '../postgres.ts'

/** The transaction an event is added in: a pg client between BEGIN and COMMIT, or a kysely `Transaction`. */
export type Transaction = PgQueryable | KyselyTransaction

type Execute = (text: string, values: unknown[]) => Promise<unknown>

/**
 * How to run a statement inside a transaction.
 * @throws OutboxError OUTBOX_NOT_A_TRANSACTION: a pool, a kysely instance, or a pg client outside a transaction
 */
export async function executeIn(tx: Transaction): Promise<Execute> {
  const given: unknown = tx
  if (typeof given !== 'object' || given === null) throw notOne(given === null ? 'null' : typeof given)
  if ('executeQuery' in given) return await kyselyExecute(tx as KyselyTransaction)
  if ('totalCount' in given && 'idleCount' in given) throw notOne('a pool, which runs each query on its own')
  if (!('query' in given) || typeof given.query !== 'function') throw notOne('neither a pg client nor kysely’s')
  // Since pg 8.19: I(dle), in T(ransaction), in a failed one (E).
  const status = 'getTransactionStatus' in given ? (given as StatusTeller).getTransactionStatus() : undefined
  if (status === 'I') throw notOne('a client that has not begun a transaction')
  return (text, values) => (tx as PgQueryable).query(text, values)
}

type StatusTeller = { getTransactionStatus(): string | null }

async function kyselyExecute(tx: KyselyTransaction): Promise<Execute> {
  if (!tx.isTransaction) throw notOne('a kysely instance outside a transaction')
  const { CompiledQuery } = await import('kysely')
  return (text, values) => tx.executeQuery(CompiledQuery.raw(text, values))
}

function notOne(what: string): OutboxError {
  return new OutboxError('OUTBOX_NOT_A_TRANSACTION', `the event was not added: what was given is ${what}`)
}
