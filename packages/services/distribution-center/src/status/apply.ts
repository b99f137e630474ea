import { partnerSystems, type PartnerSystem } from '@malha/contracts'
import type {
  CenterStatus,
  Fact,
  PartnerDone,
  PartnerEntry,
  PartnerFailure,
  Position,
  Refusal,
  Registration,
} from './status.ts'

/** What one event changes in the status of its centre. */
export type StatusChange = { readonly centerId: string; readonly stream: string; readonly position: Position } & (
  | { readonly kind: 'registered'; readonly registration: Registration }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'partner-done'; readonly partner: PartnerSystem; readonly done: PartnerDone }
  | { readonly kind: 'partner-failed'; readonly partner: PartnerSystem; readonly failure: PartnerFailure }
  | { readonly kind: 'onboarded'; readonly onboarded: Fact }
)

/**
 * The status after a change. Events come in any order, more than once, and from a replay: the outcome depends on which
 * events came, never on how. Returns `status` itself when the change says nothing new.
 */
export function applyToStatus(status: CenterStatus | undefined, change: StatusChange): CenterStatus {
  const single = statusOf(change)
  return status === undefined ? single : joinStatus(status, single)
}

/**
 * What two entries of one centre know together. Commutative, associative and idempotent, so that a rebuild can run while
 * the service does. Returns `a` itself when `b` adds nothing.
 */
export function joinStatus(a: CenterStatus, b: CenterStatus): CenterStatus {
  const registered = first(a.registered, b.registered)
  const refused = last(a.refused, b.refused)
  const onboarded = first(a.onboarded, b.onboarded)
  const partners = joinPartners(a.partners, b.partners)
  const applied = joinApplied(a.applied, b.applied)
  const same =
    registered === a.registered &&
    refused === a.refused &&
    onboarded === a.onboarded &&
    partners === a.partners &&
    applied === a.applied
  if (same) return a
  return {
    v: 1,
    centerId: a.centerId,
    applied,
    ...(registered && { registered }),
    ...(refused && { refused }),
    partners,
    ...(onboarded && { onboarded }),
  }
}

/** An entry that knows this one change. */
function statusOf(change: StatusChange): CenterStatus {
  const applied = { [change.stream]: change.position }
  return { v: 1, centerId: change.centerId, applied, partners: {}, ...factsOf(change) }
}

function factsOf(change: StatusChange): Partial<CenterStatus> {
  if (change.kind === 'registered') return { registered: change.registration }
  if (change.kind === 'refused') return { refused: change.refusal }
  if (change.kind === 'partner-done') return { partners: { [change.partner]: { done: change.done } } }
  if (change.kind === 'partner-failed') return { partners: { [change.partner]: { failure: change.failure } } }
  return { onboarded: change.onboarded }
}

function joinPartners(a: CenterStatus['partners'], b: CenterStatus['partners']): CenterStatus['partners'] {
  let joined = a
  for (const partner of partnerSystems) {
    const entry = joinPartner(a[partner], b[partner])
    if (entry !== undefined && entry !== a[partner]) joined = { ...joined, [partner]: entry }
  }
  return joined
}

function joinPartner(a: PartnerEntry | undefined, b: PartnerEntry | undefined): PartnerEntry | undefined {
  if (a === undefined || b === undefined) return a ?? b
  const done = first(a.done, b.done)
  const failure = last(a.failure, b.failure)
  if (done === a.done && failure === a.failure) return a
  return { ...(done && { done }), ...(failure && { failure }) }
}

/**
 * By stream and not as a gate: handlers run at the same time, so that event 5 of a stream may well be applied before event
 * 4. What keeps a duplicate from changing anything is the position of each fact.
 */
function joinApplied(a: CenterStatus['applied'], b: CenterStatus['applied']): CenterStatus['applied'] {
  let joined = a
  for (const [stream, position] of Object.entries(b)) {
    const known = a[stream]
    if (known === undefined || compare(position, known) > 0) joined = { ...joined, [stream]: position }
  }
  return joined
}

/** Of two tellings of one fact the earlier holds: a registration that is told again does not become younger. */
function first<T extends Position>(a: T | undefined, b: T | undefined): T | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return compare(b, a) < 0 ? b : a
}

/** Of failures and refusals the latest counts. */
function last<T extends Position>(a: T | undefined, b: T | undefined): T | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return compare(b, a) > 0 ? b : a
}

function compare(a: Position, b: Position): number {
  return a.epoch - b.epoch || a.seq - b.seq
}
