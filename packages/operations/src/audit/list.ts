import { getStored, type Mesh, subjectOf } from '@malha/mesh'
import { OperationsError } from '../errors.ts'
import { streamNow } from '../read/read-on.ts'
import { type AuditEntry, auditEntryWritten, entryIn } from './entry.ts'
import { readBack } from './read-back.ts'

/** Which acts; all that is given must hold. */
export type AuditFilter = {
  /** Written down at or after, before; anything `Date.parse` reads. */
  since?: string | undefined
  until?: string | undefined
  who?: string | undefined
  /** `run.pause`. */
  action?: string | undefined
  target?: string | undefined
  /** How many at most, 1000 at the most. @default 50 */
  limit?: number | undefined
  /** Of the page before: `next`. */
  after?: number | undefined
}

/**
 * An act, with how it ended. `outcome` is `begun` where that is not written down: what is in place says how it ended.
 * `seq` is that of its first entry in the stream `AUDIT`, `storedAt` when the server stored it.
 */
export type AuditedAct = AuditEntry & { readonly seq: number; readonly storedAt: string }

export type AuditList = {
  /** The newest first. */
  readonly acts: readonly AuditedAct[]
  /** Messages met in the stream that are no entries: somebody else wrote them. */
  readonly unreadable: number
  /** `after` of the next page; undefined at the end. */
  readonly next: number | undefined
}

/** Who did what to a mesh. Reading it changes nothing on the server. */
export interface AuditLog {
  /**
   * Reads back until the page is full: with a narrow filter and no `since` that may be all there is.
   * @throws OperationsError OPERATIONS_INVALID_OPTIONS
   */
  list(filter?: AuditFilter): Promise<AuditList>
}

const MOST_ACTS = 1000

export function auditLogOf(mesh: Mesh): AuditLog {
  return {
    async list(filter = {}) {
      const { limit = 50 } = filter
      const times = checked(filter)
      const span = await spanOf(mesh, { ...times, after: filter.after })
      if (!span) return { acts: [], unreadable: 0, next: undefined }
      const found = await acts(mesh, span, { filter, limit: limit + 1, since: times.since })
      const page = found.acts.slice(0, limit)
      const next = found.acts.length > limit ? page.at(-1)!.seq : undefined
      return {
        acts: await Promise.all(page.map((act) => ended(mesh, span.stream, act))),
        unreadable: found.unreadable,
        next,
      }
    },
  }
}

type Span = { stream: string; first: number; last: number }

/** Undefined where nobody did anything yet. */
async function spanOf(
  mesh: Mesh,
  { until, after }: { until: Date | undefined; after: number | undefined },
): Promise<Span | undefined> {
  const stream = mesh.names.stream(auditEntryWritten.stream)
  const now = await streamNow(mesh, stream)
  if (!now) return undefined
  const { first_seq: first, last_seq: last } = now.info.state
  const late =
    until &&
    (await getStored(mesh.nats, stream, {
      start_time: until.toISOString(),
      next_by_subj: mesh.names.subject('audit.>'),
    }))
  return {
    stream,
    first: Math.max(1, first),
    last: Math.min(last, (late?.seq ?? Infinity) - 1, (after ?? Infinity) - 1),
  }
}

type Wanted = { filter: AuditFilter; limit: number; since: Date | undefined }

/** How an act ended is written behind its beginning, so it is met before it. */
async function acts(
  mesh: Mesh,
  { stream, ...span }: Span,
  { filter, limit, since }: Wanted,
): Promise<{ acts: AuditedAct[]; unreadable: number }> {
  const found: AuditedAct[] = []
  const ends = new Map<string, AuditEntry>()
  let unreadable = 0
  for await (const { seq, storedAt, payload } of readBack(mesh, stream, span)) {
    if (since && Date.parse(storedAt) < since.getTime()) break
    const entry = entryIn(payload)
    if (!entry) unreadable += 1
    else if (entry.outcome !== 'begun') ends.set(entry.act, entry)
    else {
      if (isWanted(entry, filter)) found.push({ ...entry, ...endOf(ends.get(entry.act)), seq, storedAt })
      ends.delete(entry.act)
    }
    if (found.length === limit) break
  }
  return { acts: found, unreadable }
}

function isWanted(entry: AuditEntry, { who, action, target }: AuditFilter): boolean {
  const isSame = (asked: string | undefined, is: string): boolean => asked === undefined || asked === is
  return isSame(who, entry.who) && isSame(action, entry.action) && isSame(target, entry.target)
}

/** The end of an act may stand behind where the page begins. */
async function ended(mesh: Mesh, stream: string, act: AuditedAct): Promise<AuditedAct> {
  if (act.outcome !== 'begun') return act
  const last = await getStored(mesh.nats, stream, {
    last_by_subj: mesh.names.subject(subjectOf(auditEntryWritten, act.act)),
  })
  return { ...act, ...endOf(last && entryIn(last.payload)) }
}

function endOf(entry: AuditEntry | undefined): Partial<AuditEntry> {
  return entry ? { outcome: entry.outcome, fault: entry.fault } : {}
}

function checked({ since, until, limit, after }: AuditFilter): { since: Date | undefined; until: Date | undefined } {
  const faults: string[] = []
  const isWithin = (value: number | undefined, most: number): boolean =>
    value === undefined || (Number.isInteger(value) && value >= 1 && value <= most)
  const timeOf = (name: string, text: string | undefined): Date | undefined => {
    if (text === undefined) return undefined
    const time = new Date(text)
    if (Number.isNaN(time.getTime()))
      faults.push(`${name} is ${JSON.stringify(text)}; a time such as 2026-11-21T10:00:00Z`)
    return time
  }
  if (!isWithin(limit, MOST_ACTS)) faults.push(`limit is ${limit}; a whole number from 1 to ${MOST_ACTS}`)
  if (!isWithin(after, Number.MAX_SAFE_INTEGER)) faults.push(`after is ${after}; what the page before gave as next`)
  const times = { since: timeOf('since', since), until: timeOf('until', until) }
  if (faults.length > 0) throw new OperationsError('OPERATIONS_INVALID_OPTIONS', faults.join('; '))
  return times
}
