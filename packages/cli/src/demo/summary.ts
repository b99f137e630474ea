import { type PartnerName, partnerNames } from '../system/partners.ts'
import type { AuditFigures, Check, Evidence, Journey } from './checks.ts'

/** What a run comes to; `--json` prints it as one line. */
export type Summary = {
  verdict: 'held' | 'failed'
  centers: number
  /** Attempts at partners, refused connections included, as the mesh counted them. */
  attempts: number
  /** Attempts that were not the first of their centre and partner. */
  retries: number
  /** Effects that the partners counted. */
  effects: Record<PartnerName, number>
  eventsArchived: number
  audit: Omit<AuditFigures, 'events'> | null
  deadLetters: number
  /** SIGKILLs of the provider service. */
  kills: number
  checks: { held: number; failed: number; list: Check[] }
  journey: (Journey & { link: string }) | null
  elapsedMs: number
}

export type RunFacts = { kills: number; elapsedMs: number; traceLink: (traceId: string) => string }

/** Adds a run up. */
export function summarize(evidence: Evidence, checks: readonly Check[], facts: RunFacts): Summary {
  const held = checks.filter((check) => check.held).length
  const attempts = evidence.centers.flatMap((center) => partnerNames.map((name) => center.partners[name].attempts))
  const { audit, journey } = evidence
  return {
    verdict: held === checks.length ? 'held' : 'failed',
    centers: evidence.registered.length,
    attempts: sum(attempts),
    retries: sum(attempts.map((count) => Math.max(0, count - 1))),
    effects: effectsOf(evidence),
    eventsArchived: audit?.events ?? 0,
    audit: audit ? { missing: audit.missing, duplicates: audit.duplicates, conflicts: audit.conflicts } : null,
    deadLetters: evidence.deadLetters,
    kills: facts.kills,
    checks: { held, failed: checks.length - held, list: [...checks] },
    journey: journey ? { ...journey, link: facts.traceLink(journey.traceId) } : null,
    elapsedMs: Math.round(facts.elapsedMs),
  }
}

function effectsOf({ received }: Evidence): Record<PartnerName, number> {
  const effects = (name: PartnerName): number => sum(Object.values(received[name].byCenter).map((of) => of.effects))
  return { senninha: effects('senninha'), maas: effects('maas'), dmitri: effects('dmitri') }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
