import type { ArchivedEvent, EventFilter, ReadLimits } from '@malha/archive'
import { type Actor, audited, checkActor, type Desk } from '../audit/audited.ts'
import type { ShownEvent } from './show-archived.ts'

/** What is asked of the archive. */
export type RevealedFilter = Omit<EventFilter, keyof ReadLimits>

/**
 * Writes down that somebody sees these events of the archive with all that they have; then they may be shown by what it returns.
 * @throws OperationsError OPERATIONS_INVALID_OPTIONS | OPERATIONS_NOT_AUDITED
 */
export async function revealArchived(
  desk: Desk,
  filter: RevealedFilter,
  { who, reason }: Actor,
): Promise<(event: ArchivedEvent) => ShownEvent> {
  checkActor({ who, reason }, { needsReason: true })
  const act = { action: 'archive.reveal', who, reason, target: 'archive.events', before: null } as const
  const { since, until, ...rest } = filter
  const after = { ...rest, ...(since && { since: textOf(since) }), ...(until && { until: textOf(until) }) }
  return await audited(desk, { ...act, after }, async () => withAll)
}

const textOf = (time: Date | string): string => (typeof time === 'string' ? time : time.toISOString())

const withAll = (event: ArchivedEvent): ShownEvent => ({ ...event, hidden: 0, withheld: null })
