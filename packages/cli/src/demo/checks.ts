import { type PartnerName, partnerNames, type Received } from '../system/partners.ts'
import { plural } from '../view/text.ts'
import type { CenterView } from './center-api.ts'

/** What the archive's audit found over all streams. */
export type AuditFigures = { events: number; missing: number; duplicates: number; conflicts: number }

/** One journey whose dmitri call failed first and succeeded later, all in one trace. */
export type Journey = { traceId: string; centerId: string; city: string; failedAttempts: number }

/** All that the checks look at, gathered when the run has ended. */
export type Evidence = {
  /** Ids that the API gave when the centres were registered. */
  registered: readonly string[]
  centers: readonly CenterView[]
  received: Readonly<Record<PartnerName, Received>>
  audit: AuditFigures | undefined
  /** Messages in the dead-letter stream. */
  deadLetters: number
  journey: Journey | undefined
}

export type Check = { name: string; held: boolean; detail: string }

/** Judges a run. Every check is made, whatever the ones before it said. */
export function checkRun(evidence: Evidence): Check[] {
  return [
    allOnboarded(evidence),
    oneEffect(evidence),
    oneKey(evidence),
    cleanArchive(evidence),
    noDeadLetters(evidence),
    oneTrace(evidence),
  ]
}

function allOnboarded({ registered, centers }: Evidence): Check {
  const onboarded = new Set(centers.filter((center) => center.status === 'onboarded').map((center) => center.id))
  const waiting = registered.filter((id) => !onboarded.has(id))
  return {
    name: 'every centre is onboarded',
    held: registered.length > 0 && waiting.length === 0,
    detail:
      waiting.length === 0 ? `${registered.length} of ${registered.length}` : `${waiting.length} not: ${some(waiting)}`,
  }
}

function oneEffect(evidence: Evidence): Check {
  const wrong = perCenterAndPartner(
    evidence,
    (of) => of.effects !== 1,
    (of) => plural(of.effects, 'effect'),
  )
  return {
    name: 'one effect per centre and partner',
    held: wrong.length === 0,
    detail: wrong.length === 0 ? `${evidence.registered.length * partnerNames.length} effects` : some(wrong),
  }
}

const keysOf = ({ keys }: Count): number => new Set(keys).size

function oneKey(evidence: Evidence): Check {
  const wrong = perCenterAndPartner(
    evidence,
    (of) => keysOf(of) !== 1,
    (of) => plural(keysOf(of), 'key'),
  )
  return {
    name: 'one idempotency key per centre and partner, over all attempts',
    held: wrong.length === 0,
    detail: wrong.length === 0 ? `${attemptsReceived(evidence)} calls reached the partners` : some(wrong),
  }
}

function cleanArchive({ audit }: Evidence): Check {
  const name = 'the archive holds every event once'
  if (audit === undefined) return { name, held: false, detail: 'the audit could not be made' }
  const { events, missing, duplicates, conflicts } = audit
  return {
    name,
    held: events > 0 && missing === 0 && duplicates === 0 && conflicts === 0,
    detail: `${plural(events, 'event')}, missing ${missing}, duplicates ${duplicates}, conflicts ${conflicts}`,
  }
}

function noDeadLetters({ deadLetters }: Evidence): Check {
  return { name: 'no dead letters', held: deadLetters === 0, detail: String(deadLetters) }
}

function oneTrace({ journey }: Evidence): Check {
  return {
    name: 'failed and later successful dmitri attempts are in one trace',
    held: journey !== undefined,
    detail: journey
      ? `${journey.city}: ${plural(journey.failedAttempts, 'failed attempt')}, then done`
      : 'no such trace was found',
  }
}

type Count = { effects: number; keys: string[] }

function perCenterAndPartner(
  { registered, received }: Evidence,
  isWrong: (of: Count) => boolean,
  say: (of: Count) => string,
): string[] {
  const wrong: string[] = []
  for (const partner of partnerNames)
    for (const id of registered) {
      const of = received[partner].byCenter[id] ?? { effects: 0, keys: [] }
      if (isWrong(of)) wrong.push(`${partner} ${id}: ${say(of)}`)
    }
  return wrong
}

function attemptsReceived({ received }: Evidence): number {
  return partnerNames.reduce((sum, partner) => sum + received[partner].attempts, 0)
}

function some(list: readonly string[]): string {
  const more = list.length - 3
  return list.slice(0, 3).join(', ') + (more > 0 ? ` and ${more} more` : '')
}
