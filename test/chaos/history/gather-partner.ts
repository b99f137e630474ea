import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Operation } from './operation.ts'
import { operationsFolder } from './saved-run.ts'
import { openWriter } from './write-lines.ts'

export type PartnerEffects = {
  /** As its process is called: `partner-senninha`. */
  process: string
  /** Where the simulator keeps what it did. */
  ledger: string
  /** The one handler that calls it. */
  handler: string
  /** When this is gathered, ms since the run began: the ledger keeps the order of effects, not their times. */
  at: number
}

/** Writes down what a partner did, in the order in which it did. An effect without an idempotency key has no id. */
export async function gatherPartner({ process, ledger, handler, at }: PartnerEffects, run: string): Promise<void> {
  await using operations = openWriter<Operation>(join(operationsFolder(run), `${process}.jsonl`))
  using database = new DatabaseSync(ledger, { readOnly: true, timeout: 5000 })
  for (const { key } of database.prepare('SELECT key FROM effects ORDER BY effect').iterate())
    await operations.write({ op: 'effect', handler, id: String(key), at, process })
}
