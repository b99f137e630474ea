import type { ClickHouseOptions } from '../clickhouse/connect.ts'
import { type ArchivedEvent, EVENT_COLUMNS, eventOf, type EventRow } from './archived-event.ts'
import { type ReadLimits, withReader } from './read-only.ts'

/** An event and what it caused. */
export type Caused<E> = { readonly event: E; readonly caused: readonly Caused<E>[] }

/** The same of events of the archive. */
export type JourneyEvent = Caused<ArchivedEvent>

/** What is asked of an event to be put into a tree; an empty text says nothing. */
type Linked = { readonly id: string | undefined; readonly causationId: string | undefined }

/**
 * All that happened under one correlation id, as a tree of causes, oldest first. The tree is built here: a recursive
 * query would read the whole table once a level.
 * @throws ArchiveError ARCHIVE_QUERY_REFUSED, ARCHIVE_UNREACHABLE
 */
export async function queryJourney(
  clickhouse: ClickHouseOptions,
  correlation: string,
  limits: ReadLimits = {},
): Promise<JourneyEvent[]> {
  return await withReader(clickhouse, limits, async (read) => {
    // The event that began it may not carry its own id as correlation.
    const rows = await read<EventRow>(
      `SELECT ${EVENT_COLUMNS} FROM archive.events FINAL
       WHERE correlation_id = {correlation:String} OR event_id = {correlation:String}
       ORDER BY published_at, seq LIMIT 10000`,
      { correlation },
    )
    return treeOf(rows.map(eventOf))
  })
}

/** Orders events by their causes, in the order in which they are given. An event whose cause is not among them, or is itself, is a root. */
export function treeOf<E extends Linked>(events: readonly E[]): Caused<E>[] {
  const nodes = events.map((event) => ({ event, caused: [] as Caused<E>[] }))
  const byId = new Map<string, (typeof nodes)[number]>()
  for (const node of nodes) if (node.event.id && !byId.has(node.event.id)) byId.set(node.event.id, node)
  const roots: Caused<E>[] = []
  for (const node of nodes) {
    const cause = byId.get(node.event.causationId ?? '')
    if (cause && cause !== node && !leadsTo(node.event, cause.event, byId)) cause.caused.push(node)
    else roots.push(node)
  }
  return roots
}

// Two events that name each other as cause would vanish from the tree together.
function leadsTo(from: Linked, start: Linked, byId: ReadonlyMap<string, { event: Linked }>): boolean {
  const seen = new Set<string>()
  for (let at: Linked | undefined = start; at?.id && !seen.has(at.id); at = byId.get(at.causationId ?? '')?.event) {
    if (at.id === from.id) return true
    seen.add(at.id)
  }
  return false
}
