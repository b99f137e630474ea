import { type PartnerName, partnerNames } from '../system/partners.ts'
import { plural } from '../view/text.ts'
import type { CenterView } from './center-api.ts'

/** What a run that took too long still waits for: a line a partner, and one for centres that nobody is working on. */
export function whatIsMissing(centers: readonly CenterView[], expected: number): string[] {
  const lines = partnerNames.flatMap((name) => missingAt(name, centers))
  const known = centers.length
  if (known < expected) lines.unshift(`${plural(expected - known, 'centre')} of ${expected} not registered`)
  const stuck = centers.filter((center) => center.status !== 'onboarded' && !waitsForPartner(center)).length
  if (stuck > 0) lines.push(`${plural(stuck, 'centre')} not onboarded although every partner is done`)
  return lines
}

function missingAt(name: PartnerName, centers: readonly CenterView[]): string[] {
  const waiting = centers.filter((center) => center.partners[name].state !== 'done')
  const first = waiting[0]
  if (first === undefined) return []
  const why = waiting
    .map((center) => center.partners[name].lastFailure?.message)
    .find((message) => message !== undefined)
  return [
    `${name}: ${plural(waiting.length, 'centre')} not done, e.g. ${first.city.name} (${first.id})` +
      (why === undefined ? '' : `; last failure: ${why}`),
  ]
}

function waitsForPartner(center: CenterView): boolean {
  return partnerNames.some((name) => center.partners[name].state !== 'done')
}
