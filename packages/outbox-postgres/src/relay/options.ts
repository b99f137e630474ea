import { isWhole, type Logger, type Metrics, noMetrics, shown } from '@malha/mesh'
import { OutboxError } from '../errors.ts'
import { type OutboxNames, outboxNames } from '../schema/names.ts'

/** How the relay works. Every member has a default that fits. */
export type RelayOptions = {
  /** Where the tables are. @default 'malha' */
  schema?: string
  /** @default the mesh's */
  log?: Logger
  /** @default none */
  metrics?: Metrics
  /** Rows of one stream on their way at once. @default 512 */
  inFlight?: number
  /** How often it looks without being told, ms; at most half of `sessionMs`. @default 2_000 */
  pollMs?: number
  /** How long published rows are kept, ms. @default 0: they are deleted */
  keepMs?: number
  /** How long one publish is tried before the row is looked up and tried again, ms; well under the streams' duplicate windows. @default 30_000 */
  publishMs?: number
  /** Silence after which PostgreSQL gives this relay's rows to others, ms. @default 20_000 */
  sessionMs?: number
  /** How long `stop()` waits for what is on its way, ms. @default 10_000 */
  stopMs?: number
}

export type ResolvedRelayOptions = {
  readonly names: OutboxNames
  readonly log: Logger
  readonly metrics: Metrics
  readonly inFlight: number
  readonly pollMs: number
  readonly keepMs: number
  readonly publishMs: number
  readonly sessionMs: number
  readonly stopMs: number
}

/** @throws OutboxError OUTBOX_INVALID_OPTIONS with every fault */
export function resolveRelayOptions(given: RelayOptions, log: Logger): ResolvedRelayOptions {
  const options: RelayOptions = given ?? {}
  const resolved: ResolvedRelayOptions = {
    names: outboxNames(options.schema),
    log: options.log ?? log,
    metrics: options.metrics ?? noMetrics,
    inFlight: options.inFlight ?? 512,
    pollMs: options.pollMs ?? 2_000,
    keepMs: options.keepMs ?? 0,
    publishMs: options.publishMs ?? 30_000,
    sessionMs: options.sessionMs ?? 20_000,
    stopMs: options.stopMs ?? 10_000,
  }
  const faults = [
    ...whole('inFlight', resolved.inFlight, 1),
    ...whole('pollMs', resolved.pollMs, 10),
    ...whole('keepMs', resolved.keepMs, 0),
    ...whole('publishMs', resolved.publishMs, 100),
    ...whole('sessionMs', resolved.sessionMs, 1_000),
    ...whole('stopMs', resolved.stopMs, 0),
  ]
  if (isWhole(resolved.inFlight, 4097)) faults.push(`inFlight is ${resolved.inFlight}; at most 4096`)
  if (isWhole(resolved.sessionMs, 0) && isWhole(resolved.pollMs, Math.floor(resolved.sessionMs / 2) + 1))
    faults.push(`pollMs is ${resolved.pollMs}; at most half of sessionMs (${resolved.sessionMs})`)
  if (faults.length > 0) throw new OutboxError('OUTBOX_INVALID_OPTIONS', faults.join('; '))
  return resolved
}

function whole(name: string, value: number, least: number): string[] {
  return isWhole(value, least) ? [] : [`${name} is ${shown(value)}; a whole number from ${least}`]
}
