import { NotTried } from '../failure/breaker.ts'
import { decide, type Decision } from '../failure/decide.ts'
import { covers } from '../message/contract.ts'
import type { Envelope } from '../message/envelope.ts'
import { tellStage } from '../observe/stages.ts'
import { type AttemptDeps, type AttemptOutcome, identify, runAttempt } from '../service/run-attempt.ts'
import { filtersOf } from '../topology/consumer-config.ts'
import type { Burial, Delivery } from './delivery.ts'
import type { RunnerOptions } from './runner-options.ts'

/** Times of the latest attempts, for the letter. */
const KEPT_ATTEMPT_TIMES = 20

/** What an attempt came to. `not-ours` is for another release of the service that runs beside this one. */
export type Tried = { ms: number; envelope?: Envelope } & (AttemptOutcome | { kind: 'not-ours' })

/** What is to become of a message that was tried. `not-tried`: the breaker opened between the look and the call. */
export type Judgement =
  | { kind: 'done' | 'leaked' | 'not-ours' | 'not-tried' }
  | { kind: 'bury'; burial: Burial }
  | { kind: 'retry'; envelope: Envelope | undefined; decision: Extract<Decision, { kind: 'retry' }> }

/** One attempt at a message. Never throws. */
export async function tryOnce(options: RunnerOptions, deps: AttemptDeps, delivery: Delivery): Promise<Tried> {
  begin(options, delivery)
  const started = performance.now()
  const outcome = await outcomeOf(options, deps, delivery).catch((error: unknown) => ({
    kind: 'failed' as const,
    error,
  }))
  return { ...outcome, ms: performance.now() - started }
}

/** What becomes of it: counts it, and writes the counters into the delivery. */
export function judge(options: RunnerOptions, delivery: Delivery, tried: Tried, isProbe: boolean): Judgement {
  const { metrics, def } = options
  const labels = labelsOf(options)
  const traceId = delivery.previousAttempt?.traceId
  if (tried.kind === 'leaked' || tried.kind === 'not-ours') return { kind: tried.kind }
  if (tried.kind === 'done') {
    metrics.processed(labels, 'ok', tried.ms, traceId)
    metrics.attempts(labels, delivery.attempts)
    return { kind: 'done' }
  }
  const { error, envelope } = tried
  if (error instanceof NotTried) {
    delivery.attempts--
    delivery.attemptTimes.pop()
    delivery.phase = { kind: 'ready' }
    return { kind: 'not-tried' }
  }
  const decision = decide(error, delivery, { policy: def.retry, isProbe })
  delivery.isTouched = true
  delivery.failures = decision.failures
  delivery.failingSince = decision.failingSince
  metrics.processed(labels, decision.kind === 'retry' ? 'retry' : envelope ? 'dead' : 'invalid', tried.ms, traceId)
  if (decision.kind === 'retry') return { kind: 'retry', envelope, decision }
  return { kind: 'bury', burial: { error, decision, ...(envelope && { envelope }) } }
}

function begin(options: RunnerOptions, delivery: Delivery): void {
  const { source } = delivery
  const labels = labelsOf(options)
  tellStage('started', { ...labels, source })
  delivery.phase = { kind: 'running' }
  if (delivery.attempts === 0) options.metrics.age(labels, Date.now() - source.publishedAt.getTime())
  delivery.attempts++
  if (delivery.attemptTimes.length >= KEPT_ATTEMPT_TIMES) delivery.attemptTimes.shift()
  delivery.attemptTimes.push(new Date().toISOString())
}

async function outcomeOf(
  options: RunnerOptions,
  deps: AttemptDeps,
  delivery: Delivery,
): Promise<(AttemptOutcome | { kind: 'not-ours' }) & { envelope?: Envelope }> {
  const identity = identify(deps, delivery)
  if (identity.kind === 'foreign') return { kind: takes(options, delivery) ? 'done' : 'not-ours' }
  if (identity.kind === 'unreadable') return { kind: 'failed', error: identity.error }
  const outcome = await runAttempt(deps, delivery, identity.envelope)
  return { ...outcome, envelope: identity.envelope }
}

/** Whether this release's own filter takes it. */
function takes({ names, def }: RunnerOptions, { source }: Delivery): boolean {
  return filtersOf(def.source).some((filter) => covers(filter, names.strip(source.subject)))
}

const labelsOf = ({ service, handler }: RunnerOptions): { service: string; handler: string } => ({
  service: service.name,
  handler,
})
