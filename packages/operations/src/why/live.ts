import { askStatus, type HandlerStatus, type Mesh, pauseAt, readControls } from '@malha/mesh'
import type { LiveFact } from './facts.ts'
import type { PlacedHandler } from './topology.ts'

/** Of a handler. */
export type LiveFacts = (handler: Pick<PlacedHandler, 'service' | 'handler'>) => LiveFact

/** Asks the instances of some handlers how they are, and reads what operators said of them. What it may not know is put into `missing`. */
export async function liveFacts(
  { nats, names }: Mesh,
  { handlers, nowMs, missing }: { handlers: readonly PlacedHandler[]; nowMs: number; missing: string[] },
): Promise<LiveFacts> {
  const services = [...new Set(handlers.map(({ service }) => service))]
  const known = async <T>(what: string, asking: Promise<T>): Promise<T | undefined> => {
    try {
      return await asking
    } catch (error) {
      missing.push(`${what}: ${error instanceof Error ? error.message : String(error)}`)
      return undefined
    }
  }
  const [instances, controls = []] = await Promise.all([
    known('what running instances say', askStatus({ nats, names }, services)),
    known('which handlers are paused', services.length === 0 ? Promise.resolve([]) : readControls({ nc: nats, names })),
  ])
  return ({ service, handler }) => {
    const said = controls.find((one) => one.service === service && one.handler === handler)
    const statuses = instances
      ?.filter((one) => one.service === service)
      .flatMap((one) => one.handlers.find((each) => each.handler === handler) ?? [])
    return {
      instances: statuses?.length,
      paused: pauseAt(said?.control, nowMs),
      breaker: breakerOf(statuses ?? []),
      delayedUntil: delayOf(statuses ?? []),
      fullPartitions: (statuses ?? []).flatMap(({ fullPartitions }) => fullPartitions ?? []),
    }
  }
}

/** One instance whose breaker is closed is enough for messages to go on. */
function breakerOf(statuses: readonly HandlerStatus[]): LiveFact['breaker'] {
  const open = statuses.map(({ breaker }) => breaker).filter(({ state }) => state !== 'closed')
  if (open.length < statuses.length) return undefined
  const [first] = open.toSorted((a, b) => compare(a.probeAt, b.probeAt))
  return first?.since ? { since: first.since, probeAt: first.probeAt } : undefined
}

function delayOf(statuses: readonly HandlerStatus[]): string | undefined {
  const until = statuses.map(({ delayedUntil }) => delayedUntil).filter((at) => at !== null)
  return until.length > 0 && until.length === statuses.length ? until.toSorted(compare)[0] : undefined
}

/** None comes last. */
const compare = (a: string | null, b: string | null): number =>
  a === b ? 0 : a === null ? 1 : b === null || a < b ? -1 : 1
