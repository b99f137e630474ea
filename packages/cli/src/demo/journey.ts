import { setTimeout as sleep } from 'node:timers/promises'
import { orphans, readTrace, type Span } from '@malha/operations'
import type { CenterView } from './center-api.ts'
import type { Journey } from './checks.ts'

/** The service whose handler calls dmitri. */
const SERVICE = 'city-registration'
/** Candidates looked at, those with the most attempts first; any of them proves it. */
const LOOKED_AT = 8

/** A journey with the spans that show it. */
export type FoundJourney = { journey: Journey; spans: Span[] }

/**
 * Looks for a centre whose trace holds a failed dmitri attempt and a later successful one. Spans are exported a moment
 * after they end, so it looks again until `signal` aborts.
 */
export async function findJourney(
  traces: string,
  centers: readonly CenterView[],
  signal: AbortSignal,
): Promise<FoundJourney | undefined> {
  const candidates = centers
    .filter((center) => center.traceId !== null && center.partners.dmitri.attempts > 1)
    .toSorted((a, b) => b.partners.dmitri.attempts - a.partners.dmitri.attempts)
  while (!signal.aborted) {
    const found: FoundJourney[] = []
    for (const center of candidates.slice(0, LOOKED_AT)) {
      const spans = await readTrace(traces, center.traceId!)
      const failedAttempts = failedBeforeDone(spans)
      const journey = { traceId: center.traceId!, centerId: center.id, city: center.city.name, failedAttempts }
      if (failedAttempts > 0 && reachesItsEnd(spans)) found.push({ journey, spans })
    }
    if (found.length > 0) return found.find(({ spans }) => orphans(spans) === 0) ?? found[0]
    await sleep(500, undefined, { signal }).catch(() => undefined)
  }
  return undefined
}

/** How many dmitri attempts failed before one succeeded; 0 unless both are there. */
export function failedBeforeDone(spans: readonly Span[]): number {
  const attempts = spans.filter((span) => span.service === SERVICE && span.name.startsWith('process '))
  const done = attempts.find((span) => !span.failed)
  return done ? attempts.filter((span) => span.failed && span.endNs <= done.startNs).length : 0
}

/** Whether the journey's end has been exported too. */
function reachesItsEnd(spans: readonly Span[]): boolean {
  return spans.some((span) => span.name === 'publish center.onboarded')
}
