import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type ArchivedEvent, type ClickHouseOptions, replayReader } from '@malha/archive'
import type { Mesh } from '@malha/mesh'
import { type Actor, thisPlace } from './audit/audited.ts'
import { type AuditLog, auditLogOf } from './audit/list.ts'
import { type Handlers, handlersOf } from './handlers/handlers.ts'
import { type Investigations, investigationsOf } from './investigations.ts'
import { type Contracts, contractsOf } from './contracts/contracts.ts'
import { LetterIndex } from './letters/letter-index.ts'
import { type Letters, lettersOf } from './letters/letters.ts'
import { sensitivityReader } from './redaction/read-sensitivity.ts'
import { revealArchived, type RevealedFilter } from './redaction/reveal-archived.ts'
import type { Sensitivity } from './redaction/sensitivity.ts'
import type { ShownEvent } from './redaction/show-archived.ts'
import { type Runs, runsOf } from './runs/runs.ts'
import { handOver, type HandOverOptions, type MovedDurable } from './streams/hand-over.ts'

export type OperationsOptions = {
  /** Where the index of letters is kept, a SQLite file; its folder is made. It may be deleted at any time. @default in memory */
  indexFile?: string
  /**
   * From where things are done, for those who look later: a host, or the address of who asks. @default this host, and its address
   * as the server sees it
   */
  from?: string
  /** The ClickHouse of the archive, which finds events by id at once, and has those that their streams forgot. @default none */
  archive?: ClickHouseOptions | undefined
  /** Base address of Jaeger or another store with its API, e.g. `http://127.0.0.1:16686`. @default none */
  traces?: string | undefined
}

/** What a person on call does with a mesh. */
export interface Operations extends Investigations, Disposable {
  readonly handlers: Handlers
  readonly letters: Letters
  readonly runs: Runs
  readonly audit: AuditLog
  readonly contracts: Contracts
  /**
   * Has other servers lead the durables that one leads, so that none of its messages waits for `ack_wait` when it is stopped.
   * @throws OperationsError OPERATIONS_INVALID_OPTIONS | OPERATIONS_NOT_AUDITED | OPERATIONS_HAND_OVER_FAILED
   */
  handOver(options: HandOverOptions): Promise<readonly MovedDurable[]>
  /** What may be shown of payloads, as of a few seconds ago. Never rejects: where it cannot be known, all is hidden. */
  sensitivity(): Promise<Sensitivity>
  /**
   * For events of the archive that are to be shown with what is sensitive: needs a reason, and is audited as `archive.reveal`, with what
   * is asked for, before it resolves.
   * @throws OperationsError OPERATIONS_INVALID_OPTIONS | OPERATIONS_NOT_AUDITED
   */
  revealArchived(filter: RevealedFilter, actor: Actor): Promise<(event: ArchivedEvent) => ShownEvent>
}

/**
 * Opens the operations of a mesh. To look needs `$JS.API.STREAM.INFO`, `$JS.API.DIRECT.GET` and `$JS.API.STREAM.MSG.GET` of
 * `DEAD_LETTERS`, `OPERATIONS` and `AUDIT`; to find out what happened, what docs/how-to/find-out-what-happened.md names. What is
 * done is written into `AUDIT` first.
 * @throws OperationsError OPERATIONS_INDEX_FAILED
 */
export async function openOperations(
  mesh: Mesh,
  { indexFile = ':memory:', from = thisPlace(mesh), archive, traces }: OperationsOptions = {},
): Promise<Operations> {
  if (indexFile !== ':memory:') await mkdir(dirname(indexFile), { recursive: true, mode: 0o700 })
  const index = new LetterIndex(indexFile)
  const desk = { mesh, from }
  const sensitivity = sensitivityReader(mesh)
  return {
    handlers: handlersOf(desk),
    letters: lettersOf(desk, index, sensitivity),
    runs: runsOf({ desk, index, archive: archive && replayReader(archive) }),
    audit: auditLogOf(mesh),
    ...investigationsOf({ mesh, index, archive, traces, sensitivity }),
    contracts: contractsOf(desk),
    handOver: (options) => handOver(desk, options),
    sensitivity,
    revealArchived: (filter, actor) => revealArchived(desk, filter, actor),
    [Symbol.dispose]: () => index[Symbol.dispose](),
  }
}
