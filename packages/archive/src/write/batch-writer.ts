import type { ClickHouseClient } from '@clickhouse/client'
import { isPoison, isSchemaGone } from '../clickhouse/faults.ts'
import { execute } from '../clickhouse/run.ts'
import { ArchiveError } from '../errors.ts'
import { publishedAtOf, type Row, seqOf, type StreamEpoch } from '../message/row.ts'
import { backoffMs, pause } from '../pause.ts'
import { queryIdPrefix } from './cursor.ts'
import { countStored, insertDeadLetter, insertRows } from './insert-rows.ts'
import { TableChanged } from './same-table.ts'

/*
 * W1  A batch is tried under one token until it is stored. A request without an answer may have been carried out, so
 *     nothing but the same rows under the same token may follow it.
 * W2  Before each try the lease is asked: a writer that lost it must not insert.
 * W3  A token ClickHouse remembers without its rows would swallow a batch: its log is not written atomically with the
 *     part, and outlives rows that an operator deletes. So the rows are counted after each insert; and the token tells
 *     when the last of them was stored, for in a stream that lost its end other events get the same numbers.
 * W4  Before each try the table is looked at too: one that was made anew has none of the rows before these.
 * W5  Rows are stored in the order of their sequences: the greatest one in the table is the cursor.
 */

export type BatchWriterDeps = {
  readonly client: ClickHouseClient
  readonly target: StreamEpoch
  /** Identity of the lease under which this session writes; part of every query_id. */
  readonly leaseToken: string
  readonly assertHeld: () => void
  /** Rejects where the table is not the one in which the cursor was read. */
  readonly assertSameTable: () => Promise<void>
  /** Aborts for good: the process must end, or the lease is lost. */
  readonly signal: AbortSignal
  readonly on: {
    /** They may be stored from now on, whether that is heard of or not. */
    readonly sending: (rows: readonly Row[]) => void
    readonly retry: (attempt: number, error: unknown) => void
    readonly stored: (rows: number) => void
    readonly deadLetter: (seq: number, error: unknown) => void
  }
}

/** Stores batches of one session of one stream. */
export class BatchWriter {
  readonly #deps: BatchWriterDeps
  #inserts = 0

  constructor(deps: BatchWriterDeps) {
    this.#deps = deps
  }

  /**
   * Resolves once every row is stored, or kept as a dead letter; for as long as it takes.
   * @throws ArchiveError ARCHIVE_LEASE_LOST; ClickHouse's own error when its tables are gone
   */
  async store(rows: readonly Row[]): Promise<void> {
    await this.#storeOrSplit(rows, { refused: 0 })
  }

  async #storeOrSplit(rows: readonly Row[], budget: { refused: number }): Promise<void> {
    const poison = await this.#untilStored(rows, budget)
    if (poison === undefined) return
    const [only] = rows
    if (only && rows.length === 1) {
      await this.#retrying(async () => await insertDeadLetter(this.#deps.client, only, poison))
      budget.refused += 1
      this.#deps.on.deadLetter(seqOf(only), poison)
      return
    }
    // Halves: each has a token that names exactly its rows, and the good one is stored.
    const middle = Math.ceil(rows.length / 2)
    await this.#storeOrSplit(rows.slice(0, middle), budget)
    await this.#storeOrSplit(rows.slice(middle), budget)
  }

  /** Undefined once stored; the error when a row of it can't be read. */
  async #untilStored(rows: readonly Row[], budget: { refused: number }): Promise<unknown> {
    const { assertSameTable } = this.#deps
    let poison: unknown
    let round = 0
    this.#deps.on.sending(rows)
    await this.#retrying(
      async (queryId) => {
        const token = round === 0 ? this.#tokenOf(rows) : `${this.#tokenOf(rows)}/${round}`
        await assertSameTable() // W4
        try {
          await insertRows(this.#deps.client, { rows, token, queryId, signal: this.#deps.signal })
        } catch (error) {
          // Many refused rows are no bad rows but a table that does not fit: nobody wants them all as dead letters.
          if (isPoison(error) && budget.refused < MAX_REFUSED) {
            poison = error
            return
          }
          throw error
        }
        if ((await this.#countOf(rows)) < rows.length) {
          round += 1
          throw new ArchiveError('ARCHIVE_UNREACHABLE', `ClickHouse accepted ${token} but does not have it; sent again`)
        }
      },
      { attempts: true },
    )
    if (poison !== undefined) return poison
    this.#deps.on.stored(rows.length)
    return undefined
  }

  async #retrying(work: (queryId: string) => Promise<void>, { attempts = false } = {}): Promise<void> {
    const { client, target, leaseToken, assertHeld, signal, on } = this.#deps
    for (let attempt = 1; ; attempt += 1) {
      signal.throwIfAborted()
      assertHeld() // W2
      this.#inserts += 1
      const queryId = `${queryIdPrefix(target.stream)}${leaseToken}:${this.#inserts}`
      try {
        return await work(queryId)
      } catch (error) {
        signal.throwIfAborted()
        if (isSchemaGone(error) || error instanceof TableChanged) throw error
        on.retry(attempt, error)
        await pause(backoffMs(attempt), signal)
        // The try that got no answer may still run; its end is waited for, so that the next one can see what it left.
        if (attempts) await killQuery(client, queryId).catch(() => undefined)
      }
    }
  }

  #tokenOf(rows: readonly Row[]): string {
    const { stream, epoch } = this.#deps.target
    const last = rows.at(-1)
    return `${stream}:${epoch}:${rows[0]?.[2]}-${last?.[2]}@${last && publishedAtOf(last)}`
  }

  async #countOf(rows: readonly Row[]): Promise<number> {
    const range = { first: rows[0]?.[2] ?? 0, last: rows.at(-1)?.[2] ?? 0 }
    return await countStored(this.#deps.client, this.#deps.target, range)
  }
}

/** Above so many refused rows in one batch the writer waits for someone to look instead. */
const MAX_REFUSED = 100

async function killQuery(client: ClickHouseClient, queryId: string): Promise<void> {
  await execute(client, 'KILL QUERY WHERE query_id = {queryId:String} SYNC FORMAT Null', { queryId })
}
