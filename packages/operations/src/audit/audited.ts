/**
 * The one way by which something is done to a mesh (docs/adr/0029-an-act-is-written-down-before-it-is-done.md).
 *
 * A1  Nothing is done before its entry is stored. Where that cannot be, nothing is done.
 * A2  How it ended is a second entry of the same act. It may be missing: then what is in place says how it ended.
 */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { type Mesh, MeshError, type MeshErrorCode, provisionAudit, subjectOf } from '@malha/mesh'
import { JetStreamApiError } from '@nats-io/jetstream'
import { PermissionViolationError } from '@nats-io/nats-core'
import { OperationsError } from '../errors.ts'
import { auditEntryWritten, type AuditEntry, type AuditOutcome, type Plain } from './entry.ts'
import { shownState, shownText } from './plain.ts'

/** Who does something, and why. Others will read it. */
export type Actor = { who: string; reason?: string | undefined }

/** From where things are done to which mesh. */
export type Desk = { readonly mesh: Mesh; readonly from: string }

/** What is about to be done. */
export type Act = Actor & Pick<AuditEntry, 'action' | 'target'> & { before: Plain; after: Plain }

/** An election takes up to nine seconds. */
const WRITE_MS = 15_000
const LONGEST_WHO = 200
const LONGEST_REASON = 1000

/** This host, and its address as the server sees it. */
export function thisPlace({ nats }: Mesh): string {
  const address = nats.info?.client_ip
  return address ? `${hostname()} (${address})` : hostname()
}

/**
 * Does something, written down before and after. `perform` throws an OperationsError when it has done nothing because things are
 * not as `before` says.
 * @throws OperationsError OPERATIONS_INVALID_OPTIONS | OPERATIONS_NOT_AUDITED, with nothing done; and what `perform` throws
 */
export async function audited<Result>({ mesh, from }: Desk, act: Act, perform: () => Promise<Result>): Promise<Result> {
  checkActor(act)
  const entry = entryOf(act, from)
  const seq = await begin(mesh, entry)
  try {
    const result = await perform()
    await conclude(mesh, entry, { seq, outcome: 'done', fault: null })
    return result
  } catch (error) {
    const fault = shownText(reasonOf(error))
    await conclude(mesh, entry, { seq, outcome: isRefusal(error) ? 'refused' : 'unknown', fault })
    throw error
  }
}

/** @throws OperationsError OPERATIONS_INVALID_OPTIONS with every fault */
export function checkActor({ who, reason }: Actor, { needsReason = false }: { needsReason?: boolean } = {}): void {
  const faults: string[] = []
  const isSaid = (text: unknown): boolean => typeof text === 'string' && text.trim() !== ''
  if (!isSaid(who) || who.length > LONGEST_WHO)
    faults.push(`who must say who does it, in ${LONGEST_WHO} characters at most`)
  if ((needsReason && !isSaid(reason)) || (reason?.length ?? 0) > LONGEST_REASON)
    faults.push(`reason must say why, in ${LONGEST_REASON} characters at most`)
  if (faults.length > 0)
    throw new OperationsError('OPERATIONS_INVALID_OPTIONS', `${faults.join('; ')}: others will read it`)
}

function entryOf({ action, who, target, before, after, reason }: Act, from: string): AuditEntry {
  return {
    v: 1,
    act: randomUUID(),
    action,
    who: shownText(who),
    from: shownText(from),
    target: shownText(target),
    before: shownState(before),
    after: shownState(after),
    reason: reason === undefined || reason.trim() === '' ? null : shownText(reason),
    at: new Date().toISOString(),
    outcome: 'begun',
    fault: null,
  }
}

/** Upholds A1. */
async function begin(mesh: Mesh, entry: AuditEntry): Promise<number> {
  try {
    await provisionAudit(mesh)
    return await write(mesh, entry, { id: entry.act, lastSeq: 0 })
  } catch (cause) {
    throw new OperationsError(
      'OPERATIONS_NOT_AUDITED',
      `${entry.action} of ${entry.target} was not done, because it could not be written down first: ${reasonOf(cause)}`,
      { cause },
    )
  }
}

/** Upholds A2. What was done is done: an entry that cannot be stored is no fault of the act. */
async function conclude(
  mesh: Mesh,
  entry: AuditEntry,
  { seq, outcome, fault }: { seq: number; outcome: AuditOutcome; fault: string | null },
): Promise<void> {
  try {
    await write(mesh, { ...entry, outcome, fault }, { id: `${entry.act}.end`, lastSeq: seq })
  } catch (error) {
    const said = { act: entry.act, action: entry.action, target: entry.target, outcome, err: error }
    mesh.log.warn(said, 'how an act ended could not be written into the stream AUDIT')
  }
}

/** With an expectation, so that it is stored now or never: a spool does not take it. */
async function write(mesh: Mesh, entry: AuditEntry, { id, lastSeq }: { id: string; lastSeq: number }): Promise<number> {
  const subjects = subjectOf(auditEntryWritten, entry.act)
  const { seq } = await mesh.publish(auditEntryWritten, entry, {
    id,
    correlationId: entry.act,
    ...(id !== entry.act && { causationId: entry.act }),
    expect: { lastSeq, subjects },
    timeoutMs: WRITE_MS,
  })
  return seq
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** What the mesh says of a write that was not made. */
const NOT_WRITTEN: ReadonlySet<MeshErrorCode> = new Set(['MESH_TOPOLOGY', 'MESH_PUBLISH_REFUSED', 'MESH_STREAM_FULL'])

/** Whether it is certain that nothing was done. */
function isRefusal(error: unknown): boolean {
  if (error instanceof MeshError) return NOT_WRITTEN.has(error.code)
  const isServers = error instanceof JetStreamApiError || error instanceof PermissionViolationError
  return isServers || error instanceof OperationsError
}
