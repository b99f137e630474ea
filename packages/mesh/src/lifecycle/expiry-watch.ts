/** Tells in time that a certificate or credentials end: what is valid for years is renewed by hand, and forgotten. */
import { days } from '../durations.ts'
import type { Logger } from '../observe/logger.ts'
import type { MeshMetrics } from '../observe/mesh-metrics.ts'
import type { ResolvedMeshOptions } from './options.ts'
import { type Expiring, expiringFiles } from './own-files.ts'

/** Later than when tools renew: cert-manager does 10 days before a certificate of a month ends, as deploy/generated has it. */
export const ENDS_SOON_MS: number = days(7)
const EVERY_MS = 300_000

/** Looks at its files now and from time to time: others replace them. Returns how to stop. */
export function watchExpiry(
  options: ResolvedMeshOptions,
  { metrics, log }: { metrics: MeshMetrics; log: Logger },
): () => void {
  const said = new Set<string>()
  const look = async (): Promise<void> => {
    for (const [kind, one] of firstToEnd(await expiringFiles(options))) {
      metrics.ends(kind, one.endsAt)
      const leftMs = one.endsAt.getTime() - Date.now()
      const key = `${one.of} ${one.endsAt.getTime()} ${leftMs < 0}`
      if (leftMs > ENDS_SOON_MS || said.has(key)) continue
      said.add(key)
      const { of: file, endsAt } = one
      if (leftMs < 0)
        log.error({ kind, file, endsAt }, 'what this process shows has ended; put a new one into its file')
      else log.warn({ kind, file, endsAt }, 'what this process shows ends soon; put a new one into its file')
    }
  }
  void look()
  const timer = setInterval(() => void look(), EVERY_MS).unref()
  return () => clearInterval(timer)
}

function firstToEnd(all: readonly Expiring[]): Map<Expiring['kind'], Expiring> {
  return new Map(all.toSorted((a, b) => b.endsAt.getTime() - a.endsAt.getTime()).map((one) => [one.kind, one]))
}
