import type { System } from '../system/start-system.ts'
import { partnerNames, readReceived, type Received, type PartnerName } from '../system/partners.ts'
import type { Span } from '@malha/operations'
import type { Stage } from '../view/stage.ts'
import { settledAudit } from './audit.ts'
import { type CenterView, listCenters } from './center-api.ts'
import { type Check, checkRun, type Evidence } from './checks.ts'
import type { City } from './cities.ts'
import { countDeadLetters } from './dead-letters.ts'
import { findJourney } from './journey.ts'
import { playScript } from './script.ts'
import { summarize, type Summary } from './summary.ts'
import { watchRun } from './watch.ts'

export type DemoOptions = {
  system: System
  cities: readonly City[]
  stage: Stage
  startedAt: number
  signal: AbortSignal
}

export type DemoResult = { summary: Summary; checks: readonly Check[]; waterfall: readonly Span[] }

/** How long what was done is waited for in the archive and the trace store. */
const ARCHIVED_WITHIN_MS = 30_000
const TRACED_WITHIN_MS = 15_000

/** Plays the script on a running system and judges what came of it. Rejects when the signal aborts before the end. */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const { system, cities, stage, startedAt, signal } = options
  const { report } = system
  let kills = 0
  await using watch = watchRun({ report, centers: cities.length, startedAt, signal, show: stage.show })
  const registered = await playScript({
    api: report.api,
    cities,
    watch,
    signal,
    announce: stage.announce,
    killProvider() {
      kills++
      return system.kill('provider')
    },
  })
  stage.announce('every centre is onboarded; now the books are checked')
  watch.progress.doing = 'checking: archive, partners, dead letters, traces'
  const { evidence, spans } = await gather(registered, options)
  const checks = checkRun(evidence)
  const facts = { kills, elapsedMs: Date.now() - startedAt, traceLink: (id: string) => `${report.traces}/trace/${id}` }
  return { summary: summarize(evidence, checks, facts), checks, waterfall: spans }
}

async function gather(
  registered: readonly string[],
  { system, signal }: DemoOptions,
): Promise<{ evidence: Evidence; spans: readonly Span[] }> {
  const { report } = system
  const centers = inOrder(registered, await listCenters(report.api))
  const within = (ms: number): AbortSignal => AbortSignal.any([signal, AbortSignal.timeout(ms)])
  const [received, audit, deadLetters, journey] = await Promise.all([
    receivedByPartner(report.partnerControls),
    settledAudit(system, within(ARCHIVED_WITHIN_MS)),
    countDeadLetters(system),
    findJourney(report.traces, centers, within(TRACED_WITHIN_MS)),
  ])
  signal.throwIfAborted()
  return {
    evidence: { registered, centers, received, audit, deadLetters, journey: journey?.journey },
    spans: journey?.spans ?? [],
  }
}

/** The largest city first, as they were registered; what the API does not know is missing. */
function inOrder(registered: readonly string[], centers: readonly CenterView[]): CenterView[] {
  const byId = new Map(centers.map((center) => [center.id, center]))
  return registered.flatMap((id) => byId.get(id) ?? [])
}

async function receivedByPartner(controls: Record<PartnerName, string>): Promise<Record<PartnerName, Received>> {
  const entries = partnerNames.map(async (name) => [name, await readReceived(controls[name])] as const)
  return Object.fromEntries(await Promise.all(entries)) as Record<PartnerName, Received>
}
