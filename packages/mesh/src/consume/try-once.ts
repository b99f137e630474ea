import { NotTried } from '../failure/breaker.ts'
import { decide, type Decision } from '../failure/decide.ts'
import type { Maybe } from '../maybe.ts'
import { covers } from '../message/contract.ts'
import type { Envelope } from '../message/envelope.ts'
import { tellStage } from '../observe/stages.ts'
import type { AttemptDeps } from '../service/attempt.ts'
import { type AttemptOutcome, identify, type Identity, runAttempt } from '../service/run-attempt.ts'
import { filtersOf } from '../topology/consumer-config.ts'
import { type Burial, type Delivery, READY, RUNNING } from './delivery.ts'
import type { RunnerOptions } from './runner-options.ts'
import { wallTimeOf } from './turn-clock.ts'

/** Times of the latest attempts, for the letter. */
const KEPT_ATTEMPT_TIMES = 20

/** What an attempt came to. `not-ours` is for another release of the service that runs beside this one. */
export type Tried = { ms: number; envelope?: Envelope } & Ended

type Ended = AttemptOutcome | { kind: 'not-ours' }

/** What is to become of a message that was tried. `not-tried`: the breaker opened between the look and the call. */
export type Judgement =
  | { kind: 'done' | 'leaked' | 'not-ours' | 'not-tried' }
  | { kind: 'bury'; burial: Burial }
  | { kind: 'retry'; envelope: Envelope | undefined; decision: Extract<Decision, { kind: 'retry' }> }

/** One attempt at a message. Never throws. */
export function tryOnce(options: RunnerOptions, deps: AttemptDeps, delivery: Delivery): Maybe<Tried> {
  begin(options, delivery)
  const identity = identify(deps, delivery)
  if (identity.kind !== 'ours') return tried(delivery, unlessOurs(options, delivery, identity))
  const { envelope } = identity
  const outcome = runAttempt(deps, delivery, envelope)
  if (outcome instanceof Promise) return outcome.then((late) => tried(delivery, late, envelope))
  return tried(delivery, outcome, envelope)
}

function tried({ startedAt }: Delivery, ended: Ended, envelope?: Envelope): Tried {
  const ms = performance.now() - startedAt
  return ended.kind === 'done' ? { kind: 'done', ms } : { ...ended, ms, ...(envelope && { envelope }) }
}

/** What becomes of it: counts it, and writes the counters into the delivery. */
export function judge(options: RunnerOptions, delivery: Delivery, tried: Tried, isProbe: boolean): Judgement {
  const { metrics, def, labels, outcomes, counts } = options
  const traceId = delivery.previousAttempt?.traceId
  if (tried.kind === 'leaked' || tried.kind === 'not-ours') return { kind: tried.kind }
  if (tried.kind === 'done') {
    counts.done++
    metrics.processed(outcomes.ok, tried.ms, traceId)
    metrics.attempts(labels, delivery.attempts)
    if (tried.ms > def.ackWaitMs) delivery.isInDoubt = true
    return DONE
  }
  const { error, envelope } = tried
  if (error instanceof NotTried) {
    delivery.attempts--
    delivery.phase = READY
    return { kind: 'not-tried' }
  }
  const decided = decide(error, delivery, { policy: def.retry, isProbe })
  const decision = def.shadow ? triedOnce(decided) : decided
  delivery.isTouched = true
  delivery.attemptTimes = [...delivery.attemptTimes.slice(1 - KEPT_ATTEMPT_TIMES), Math.round(Date.now() - tried.ms)]
  delivery.failures = decision.failures
  delivery.failingSince = decision.failingSince
  counts.failed++
  const outcome = decision.kind === 'retry' ? 'retry' : envelope ? 'dead' : 'invalid'
  metrics.processed(outcomes[outcome], tried.ms, traceId)
  if (decision.kind === 'retry') return { kind: 'retry', envelope, decision }
  return { kind: 'bury', burial: { error, decision, ...(envelope && { envelope }) } }
}

/** A shadow is asked what it would do now; only what has to do with the mesh itself is waited for. */
function triedOnce(decision: Decision): Decision {
  if (decision.kind === 'bury' || decision.verdict.isPatient) return decision
  const { verdict, failures, failingSince } = decision
  return { kind: 'bury', verdict, failures, failingSince, code: verdict.code, message: verdict.message }
}

const DONE: Judgement = { kind: 'done' }

function begin({ labels, metrics }: RunnerOptions, delivery: Delivery): void {
  tellStage('started', labels, delivery)
  delivery.startedAt = performance.now()
  if (delivery.attempts === 0) metrics.age(labels, wallTimeOf(delivery.startedAt) - publishedMs(delivery))
  delivery.phase = RUNNING
  delivery.attempts++
}

const publishedMs = (delivery: Delivery): number =>
  delivery.via === 'event' ? delivery.storedUs / 1000 : delivery.source.publishedAt.getTime()

function unlessOurs(options: RunnerOptions, delivery: Delivery, identity: Exclude<Identity, { kind: 'ours' }>): Ended {
  if (identity.kind === 'unreadable') return { kind: 'failed', error: identity.error }
  return { kind: takes(options, delivery) ? 'done' : 'not-ours' }
}

/** Whether this release's own filter takes it. */
function takes({ names, def }: RunnerOptions, { source }: Delivery): boolean {
  return filtersOf(def.source).some((filter) => covers(filter, names.strip(source.subject)))
}
