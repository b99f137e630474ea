import {
  DummyDriver,
  Kysely,
  type SelectQueryBuilder,
  sql,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import type { LetterKind, LetterState } from './letter.ts'

/** Which letters are asked for. */
export type LetterFilter = {
  service?: string | undefined
  handler?: string | undefined
  code?: string | undefined
  /** Their numbers in the stream of dead letters. */
  letters?: readonly number[] | undefined
  /** Of `Letter.group`. */
  group?: string | undefined
  /** `ce-id` of the original. */
  id?: string | undefined
  key?: string | undefined
  /** One state, or any of several. */
  state?: LetterState | readonly LetterState[] | undefined
  kind?: LetterKind | undefined
  /** Written at or after, before; RFC 3339. */
  since?: string | undefined
  until?: string | undefined
}

/** Which letters are sent again: those that fit and are open, and with `withLate` those that were done late. */
export type RedriveFilter = Omit<LetterFilter, 'state'> & {
  /** Also those whose message was done after all. @default false */
  withLate?: boolean | undefined
}

export type LetterPage = {
  /** How many at most. @default 50 */
  limit?: number | undefined
  /** Of the page before: `next`. */
  after?: number | undefined
}

/** Letters behind `after` and up to `upTo`, `limit` of them at most. */
export type LetterReach = { after: number; upTo: number; limit: number }

/** A row of the view `listed`. */
export type LetterRow = {
  seq: number
  subject: string
  at: string
  service: string | null
  handler: string | null
  code: string
  grp: string
  error_class: string | null
  grp_reason: string
  event_id: string | null
  event_key: string | null
  letter: string
  kind: LetterKind
  payload_bytes: number
  state: LetterState
  record_seq: number
  edit_seq: number
  is_gone: number
  run: string | null
  redrives: number
}
type Tables = { listed: LetterRow; states: LetterRow; grouped: GroupRow }
export type LetterQuery = SelectQueryBuilder<Tables, 'listed', object>
type GroupQuery = SelectQueryBuilder<Tables, 'grouped', object>

/** A row of the view `grouped`: letters of a group that are in a state, and between when the first and the last were written. */
type GroupRow = Pick<LetterRow, (typeof OF_GROUPS)[number] | 'error_class' | 'grp_reason'> & {
  letters: number
  first_at: string
  last_at: string
}

/** What all letters of such a row have in common. */
const OF_GROUPS = ['grp', 'state', 'kind', 'service', 'handler', 'code'] as const

/** Writes the text of queries; SQLite itself is Node's. */
const queries = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
})

/** Whether the filter asks for whole groups only, which are counted already. */
export function isOfGroups({ letters, id, key, since, until }: LetterFilter): boolean {
  return [letters, id, key, since, until].every((one) => one === undefined)
}

/** Groups that fit, a row a state. */
export function filteredGroups({ service, handler, code, group, state, kind }: LetterFilter): GroupQuery {
  let query: GroupQuery = queries.selectFrom('grouped')
  const are = { service, handler, code, grp: group, kind }
  for (const [column, value] of Object.entries(are))
    if (value !== undefined) query = query.where(column as keyof typeof are, '=', value)
  if (state !== undefined) query = query.where('state', 'in', statesOf(state))
  return query
}

const statesOf = (state: LetterState | readonly LetterState[]): readonly LetterState[] =>
  typeof state === 'string' ? [state] : state

/** Letters that fit. */
export const filtered = (filter: LetterFilter): LetterQuery => fitting(queries.selectFrom('listed'), filter)

/** The same, of which nothing but the columns of `states` can be selected: of what letters say nothing is read unless it is asked for. */
export const filteredShort = (filter: LetterFilter): LetterQuery =>
  filter.id === undefined && filter.key === undefined
    ? fitting(queries.selectFrom('states as listed'), filter)
    : filtered(filter)

/** Those within reach, the oldest first. */
export const within = (query: LetterQuery, { after, upTo, limit }: LetterReach): LetterQuery =>
  query.where('seq', '>', after).where('seq', '<=', upTo).orderBy('seq').limit(limit)

function fitting(
  all: LetterQuery,
  { service, handler, code, letters, group, id, key, state, kind, since, until }: LetterFilter,
): LetterQuery {
  let query = all
  const are = { service, handler, code, grp: group, event_id: id, event_key: key, kind }
  for (const [column, value] of Object.entries(are))
    if (value !== undefined) query = query.where(column as keyof typeof are, '=', value)
  if (state !== undefined) query = query.where('state', 'in', statesOf(state))
  if (letters !== undefined) query = query.where('seq', 'in', letters)
  if (since !== undefined) query = query.where('at', '>=', since)
  if (until !== undefined) query = query.where('at', '<', until)
  return query
}

/**
 * The same, to be counted. Between two times of a million letters may be all: so these are counted in the index by time, which has all that is asked for, and no other index is looked into (a plus before a
 * column keeps SQLite from it). Letters of a group are of one handler and have one code.
 */
export function filteredToCount(filter: LetterFilter): LetterQuery {
  const { service, handler, code, group, state, kind, since, until, ...others } = filter
  const isByTime = since !== undefined || until !== undefined
  if (!isByTime || !isOfGroups(others)) return filteredShort(filter)
  let query = filteredShort({ since, until })
  if ([service, handler, code, group].some((one) => one !== undefined))
    query = query.where(sql`+grp`, 'in', filteredGroups({ service, handler, code, group }).select('grp'))
  if (state !== undefined) query = query.where(sql`+state`, 'in', statesOf(state))
  if (kind !== undefined) query = query.where(sql`+kind`, '=', kind)
  return query
}
