/** Corrects the payload of a letter: the letter stays as it is, and what was changed is a record beside it. */
import {
  getStored,
  type AnyContract,
  decodePayload,
  HEADER,
  isDeclared,
  type Mesh,
  provisionOperations,
  readEnvelope,
  receivedHeaders,
} from '@malha/mesh'
import { type Actor, audited, checkActor, type Desk } from '../audit/audited.ts'
import { OperationsError } from '../errors.ts'
import { moved } from './discard.ts'
import { catchUp, recordIn } from './follow.ts'
import { changesBetween, type JsonChange, readJson, withChanges } from './json-edit.ts'
import type { LetterIndex } from './letter-index.ts'
import type { ListedLetter } from './letter-row.ts'
import { checkAsSaid } from './check-as-said.ts'
import { putBack, shownChanges } from '../redaction/hidden-values.ts'
import type { Sensitivity } from '../redaction/sensitivity.ts'
import { describedBy, type LetterContent, readWhole, type WholeLetter } from './read-whole.ts'
import { writeRecord } from './write-record.ts'

export type EditOptions = Actor & {
  /** What is to be sent instead: JSON. What stands as `[redacted]` in it, as it was shown, is what was hidden. */
  payload: Uint8Array | string
  /** Contracts to check it by beside what the services of the mesh said of its type; the handler does so in any case. @default none */
  contracts?: readonly AnyContract[] | undefined
  /** `recordSeq` of the letter that was looked at: who corrects what has changed since is told, and nothing is written. */
  seen?: number | undefined
  /** Checks it and says what it would change; writes nothing. @default false */
  dryRun?: boolean | undefined
}

/** A letter that was edited, and what that changed of its payload, without values that are hidden. */
export type Edited = {
  readonly letter: ListedLetter
  readonly changes: readonly JsonChange[]
  /** The contract it was checked by, `<type>/<version>`, as the services said it; null: none said it of that version. */
  readonly checkedBy: string | null
}

type Deps = { desk: Desk; index: LetterIndex; sensitivity: () => Promise<Sensitivity> }

/** @throws OperationsError OPERATIONS_EDIT_REFUSED | OPERATIONS_INVALID_OPTIONS | OPERATIONS_LETTER_GONE | OPERATIONS_LETTER_MOVED | OPERATIONS_NOT_AUDITED */
export async function edit(
  { desk, index, sensitivity: read }: Deps,
  seq: number,
  options: EditOptions,
): Promise<Edited> {
  const { who, reason = '', contracts = [], seen, dryRun = false } = options
  if (!dryRun) checkActor({ who, reason }, { needsReason: true })
  const { mesh } = desk
  const given = readJson(Buffer.from(options.payload))
  await catchUp(mesh, index)
  const whole = await readWhole(mesh, seq)
  const letter = index.letter(seq)
  if (letter?.state !== 'open') throw moved(letter ?? { seq, state: 'gone' })
  if (seen !== undefined && seen !== letter.recordSeq) throw moved(letter)
  if (letter.kind !== 'message' || !whole.hasPayload) throw refused('it has no payload to edit')
  const known = await changesOf(mesh, letter)
  const original = originalOf(whole.payload)
  const sensitivity = await read()
  const described = describedBy(mesh.names, whole)
  const redactor = sensitivity.redactorFor(described)
  const { document, count } =
    'withheld' in redactor
      ? { document: given, count: 0 }
      : putBack(redactor, given, [withChanges(original, known), original])
  // What nobody saw must not become another number.
  if (count > 0) readJson(whole.payload)
  await check(whole, count > 0 ? Buffer.from(JSON.stringify(document)) : Buffer.from(options.payload), contracts)
  const checkedBy = await checkAsSaid(mesh, whole, document)
  const changes = changesBetween(original, document)
  if (JSON.stringify(changes) === JSON.stringify(known)) throw refused('nothing was changed')
  const shown = shownChanges(sensitivity, described, changes)
  if (dryRun) return { letter, changes: shown, checkedBy }
  // Where it was changed, not what is there: that may be a secret.
  const changed = changes.map(({ op, path }) => ({ op, path }))
  const before = { state: letter.state, edited: letter.editSeq > 0 }
  const after = { state: letter.state, edited: true, changed }
  await audited(desk, { action: 'letter.edit', who, reason, target: letter.subject, before, after }, async () => {
    await provisionOperations(mesh)
    const record = { v: 1, kind: 'edited', who, reason, patch: changes, at: new Date().toISOString() } as const
    if (!(await writeRecord(mesh, letter, record))) throw moved(letter)
  })
  await catchUp(mesh, index)
  return { letter: index.letter(seq)!, changes: shown, checkedBy }
}

/** What would be sent of a letter: with its latest edit. The very content where it has none. */
export async function withEdit(mesh: Mesh, letter: MaybeEdited, content: LetterContent): Promise<LetterContent> {
  if (letter.editSeq === 0) return content
  const edited = withChanges(originalOf(content.payload), await changesOf(mesh, letter))
  return { ...content, payload: Buffer.from(JSON.stringify(edited)) }
}

type MaybeEdited = Pick<ListedLetter, 'seq' | 'editSeq'>

async function changesOf(mesh: Mesh, { seq, editSeq }: MaybeEdited): Promise<readonly JsonChange[]> {
  if (editSeq === 0) return []
  const stored = await getStored(mesh.nats, mesh.names.operations(), { seq: editSeq })
  const record = stored && recordIn(stored.payload)
  if (record?.kind === 'edited') return record.patch as readonly JsonChange[]
  throw new Error(`letter ${seq} was edited, and record ${editSeq} of ${mesh.names.operations()} does not say how`)
}

/** What is no JSON has nothing that could be kept: the change is the whole then. */
function originalOf(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload)) as unknown
  } catch {
    return null
  }
}

/** As the handler will. @throws OperationsError OPERATIONS_EDIT_REFUSED */
async function check(whole: WholeLetter, payload: Uint8Array, contracts: readonly AnyContract[]): Promise<void> {
  const headers = receivedHeaders(whole.headers.map(([name, value]) => [name, [value]]))
  const mediaType = (headers[HEADER.contentType] ?? 'application/json').split(';', 1)[0]!.trim().toLowerCase()
  if (mediaType !== 'application/json') throw refused(`it is ${mediaType}, and only JSON can be edited`)
  if (contracts.length === 0) return
  const contract = contracts.find((one) => isDeclared(one, 'event', 'command') && one.type === whole.type)
  if (!contract) throw refused(`no contract given is of its type, ${whole.type ?? 'which it does not say'}`)
  let key: string | undefined
  try {
    const data: never = (await decodePayload(contract, readEnvelope(headers), payload)) as never
    key = contract.key?.(data)
  } catch (cause) {
    throw new OperationsError('OPERATIONS_EDIT_REFUSED', cause instanceof Error ? cause.message : String(cause), {
      cause,
    })
  }
  if (key !== undefined && whole.key !== undefined && key !== whole.key)
    throw refused(
      `its key would be ${JSON.stringify(key)} in place of ${JSON.stringify(whole.key)}, another message; publish that anew`,
    )
}

export const refused = (why: string): OperationsError => new OperationsError('OPERATIONS_EDIT_REFUSED', why)
