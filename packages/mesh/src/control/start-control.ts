import { randomBytes } from 'node:crypto'
import type { Subscription } from '@nats-io/transport-node'
import type { ServerClock } from '../lifecycle/server-clock.ts'
import type { ServiceDeps } from '../lifecycle/start-service.ts'
import type { StartedHandler } from '../lifecycle/start-handler.ts'
import type { ConsumerGauges } from '../observe/mesh-metrics.ts'
import type { ServiceSent } from '../publish/sent.ts'
import type { HandlerDef, ServiceDef } from '../service/define.ts'
import { Control } from './control.ts'
import { Controlled } from './controlled.ts'
import { answerStatus, type HandlerStatus, type InstanceStatus } from './status.ts'

type Parts = { handlers: readonly StartedHandler[]; sent: ServiceSent; clock: ServerClock; faults: () => string[] }

export type StartedControl = Pick<Control, 'look' | 'faults'> & { stop: () => void }

/**
 * Keeps the handlers as operators want them, and says how they are to whoever asks. From here on none of them starts anything
 * before the first `look()` is over.
 */
export function startControl(
  deps: ServiceDeps,
  service: ServiceDef,
  { handlers, sent, clock, faults }: Parts,
): StartedControl {
  const startedAt = new Date(clock.estimate()).toISOString()
  const id = randomBytes(6).toString('hex')
  const about = (): Omit<InstanceStatus, 'denied' | 'handlers'> => ({
    v: 1,
    service: service.name,
    version: service.version,
    instance: deps.options.name,
    id,
    at: new Date(clock.estimate()).toISOString(),
    startedAt,
    faults: faults(),
    published: sent.list(),
  })
  const answer = (status: () => InstanceStatus): Subscription => answerStatus(deps, { service: service.name, status })
  if (handlers.length === 0) {
    // One that only replies says nothing of itself here.
    const hasToSay = service.publishes.length > 0
    const answers = hasToSay ? answer(() => ({ ...about(), denied: null, handlers: [] })) : undefined
    return { look: () => Promise.resolve(), faults: () => [], stop: () => answers?.unsubscribe() }
  }
  const controlled = handlers.map(({ handler, runner }) => {
    const labels = { service: service.name, handler }
    const def = service.handlers[handler]!
    return new Controlled({ ...deps, handler, def, runner, labels, now: () => clock.estimate() })
  })
  const onSent = (to: string): void => handlers.find(({ handler }) => handler === to)?.runner.hear?.()
  const control = new Control({ ...deps, clock, service: service.name, handlers: controlled, onSent })
  const answers = answer(() => ({
    ...about(),
    denied: control.denied ?? null,
    handlers: handlers.map((one, index) => handlerStatus(one, controlled[index]!, { service, clock })),
  }))
  return {
    look: () => control.look(),
    faults: () => control.faults(),
    stop() {
      control.stop()
      answers.unsubscribe()
    },
  }
}

function handlerStatus(
  { handler, stream, durables, counts, runner, supervisor }: StartedHandler,
  controlled: Controlled,
  { service, clock }: { service: ServiceDef; clock: ServerClock },
): HandlerStatus {
  const def = service.handlers[handler]!
  const { concurrency, rateLimit = null, running, ready, retrying, leaked, gate, ...more } = runner.state()
  const { partitions = null, heldKeys = null, fullPartitions = null } = more
  const when = (at: number | undefined): string | null =>
    at === undefined ? null : new Date(clock.estimate() + at - performance.now()).toISOString()
  return {
    handler,
    source: sourceName(def),
    stream,
    durables,
    batch: def.batch?.size ?? null,
    concurrency,
    rateLimit,
    declared: { concurrency: def.concurrency, rateLimit: def.rateLimit ?? null },
    counts: { ...counts },
    retry: retryOf(def),
    running,
    ready,
    retrying,
    leaked,
    breaker: { state: gate.state, since: when(gate.openSince), probeAt: when(gate.probeAt) },
    delayedUntil: when(gate.delayedUntil),
    paused: controlled.pause ?? null,
    fault: controlled.fault ?? null,
    partitions,
    heldKeys,
    fullPartitions,
    seen: seen(supervisor.gauges),
  }
}

function retryOf({ timeoutMs, retry: { attempts, forMs, maxDelayMs } }: HandlerDef): HandlerStatus['retry'] & object {
  return { timeoutMs, attempts: finite(attempts), forMs: finite(forMs), maxDelayMs }
}

/** Infinity has no place in JSON. */
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null)

function seen(gauges: ConsumerGauges | undefined): HandlerStatus['seen'] {
  if (!gauges) return null
  return { ...gauges, expiresInMs: finite(gauges.expiresInMs) }
}

/** Type or topic pattern. */
export const sourceName = ({ source }: HandlerDef): string => (source.kind === 'topic' ? source.pattern : source.type)
