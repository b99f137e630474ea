import { setTimeout as sleep } from 'node:timers/promises'
import { auditArchive } from '@malha/archive'
import type { System } from '../system/start-system.ts'
import type { AuditFigures } from './checks.ts'

/** How long one audit waits for the archive to have what the streams hold. */
const WAIT_MS = 10_000

/**
 * Audits the archive against the streams, again while something is missing that may still be on its way.
 * @returns the last audit before `signal` aborted; undefined when there was none
 */
export async function settledAudit(system: System, signal: AbortSignal): Promise<AuditFigures | undefined> {
  const nats = await system.connect('archive')
  try {
    let figures: AuditFigures | undefined
    while (!signal.aborted) {
      const { totals } = await auditArchive({ nats, clickhouse: { url: system.report.clickhouse }, waitMs: WAIT_MS })
      const { archived: events, missing, duplicates, conflicts, lost } = totals
      figures = { events, missing: missing + lost, duplicates, conflicts }
      if (figures.missing === 0) return figures
      await sleep(500, undefined, { signal }).catch(() => undefined)
    }
    return figures
  } finally {
    await nats.close()
  }
}
