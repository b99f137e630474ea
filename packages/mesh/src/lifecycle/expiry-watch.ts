/** Tells in time that a certificate or credentials end: what is valid for years is renewed by hand, and forgotten. */
import { days } from '../durations.ts'
import type { Logger } from '../observe/logger.ts'
import type { MeshMetrics } from '../observe/mesh-metrics.ts'
import type { ConnectionWatch } from './connection-watch.ts'
import type { ResolvedMeshOptions } from './options.ts'
import { type Expiring, expiringFiles } from './own-files.ts'

/** Later than when tools renew: cert-manager does 10 days before a certificate of a month ends, as deploy/generated has it. */
export const ENDS_SOON_MS: number = days(7)
const EVERY_MS = 300_000

/**
 * Looks at its files now, at each connect, which is by what they hold then, and from time to time: others replace them. Returns how
 * to stop.
 */
export function watchExpiry(
  options: ResolvedMeshOptions,
  { connection, metrics, log }: { connection: ConnectionWatch; metrics: MeshMetrics; log: Logger },
): () => void {
  const said = new Set<string>()
  const kinds = new Set<Expiring['kind']>()
  const look = async (): Promise<void> => {
    const first = firstToEnd(await expiringFiles(options))
    // The next ones may be without an end.
    for (const kind of kinds) if (!first.has(kind)) metrics.ends(kind, undefined)
    for (const [kind, one] of first) {
      kinds.add(kind)
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
  const unlisten = connection.listen({ up: () => void look() })
  return () => {
    clearInterval(timer)
    unlisten()
  }
}

function firstToEnd(all: readonly Expiring[]): Map<Expiring['kind'], Expiring> {
  return new Map(all.toSorted((a, b) => b.endsAt.getTime() - a.endsAt.getTime()).map((one) => [one.kind, one]))
}
