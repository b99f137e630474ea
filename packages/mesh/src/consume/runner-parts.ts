/** What every runner of a handler says and needs alike, in whatever order it starts its messages. */
import { MeshError } from '../errors.ts'
import type { BreakerState } from '../failure/breaker.ts'
import { type Priority, priorityOf } from '../message/priority.ts'
import type { AttemptDeps } from '../service/attempt.ts'
import type { Delivery } from './delivery.ts'
import type { Gate } from './gate.ts'
import type { RunnerOptions } from './runner-options.ts'
import type { Slots } from './slots.ts'

const LEAK_AFTER_MS = 10_000

/** What an attempt of the handler is made with. */
export function attemptDeps(
  { publisher, names, log, service, handler, def, leakAfterMs = LEAK_AFTER_MS }: RunnerOptions,
  { gate, stopping, onLate }: Pick<AttemptDeps, 'stopping' | 'onLate'> & { gate: Gate },
): AttemptDeps {
  return {
    publisher,
    names,
    log,
    service: service.name,
    handler,
    def,
    leakAfterMs,
    stopping,
    ...(onLate && { onLate }),
    guard: (call, given) => gate.guard(call, given),
    isFlowing: () => gate.isFlowing,
  }
}

/** How urgent a delivery is; most subjects say nothing of it. */
export function priorityReader({ def, names }: RunnerOptions): (delivery: Delivery) => Priority {
  const { source: from } = def
  if (from.kind === 'topic' || !from.priorities) return () => 'normal'
  const urgent = names.subject(`${from.type}._`)
  return ({ source: { subject } }) =>
    subject.startsWith(urgent) ? priorityOf(from.type, names.strip(subject)) : 'normal'
}

/** Says in a metric and a log line how the breaker stands; news go out as an event too. */
export function sayBreaker(options: RunnerOptions, state: BreakerState, isNews: boolean): void {
  const { metrics, log, onBreaker, labels } = options
  metrics.breaker(labels, state === 'closed' ? 0 : state === 'open' ? 2 : 1)
  log[isNews ? 'warn' : 'debug']({ ...labels, state }, `the breaker is ${state}`)
  if (isNews) onBreaker(state)
}

/** An attempt never came back: its slot stays taken. `loss` says what that costs. */
export function sayLeak(
  options: RunnerOptions,
  delivery: Delivery,
  { slots, concurrency, loss }: { slots: Slots; concurrency: number; loss: string },
): void {
  const { log, metrics, labels } = options
  delivery.phase = { kind: 'leaked', again: 0 }
  slots.leak()
  metrics.leaked(labels, slots.leaked)
  log.error({ ...labels, ...delivery.source }, `a handler ignored its signal and never returned; ${loss}`)
  checkLeaks(options, slots.leaked, concurrency)
}

/** With half of the slots lost, or more, this process can do no more for the handler. */
export function checkLeaks({ service, handler, onFatal }: RunnerOptions, leaked: number, concurrency: number): void {
  if (leaked === 0 || leaked * 2 < concurrency) return
  const detail = `handler ${handler} of ${service.name} lost ${leaked} of ${concurrency} slots to calls that never return`
  onFatal(new MeshError('MESH_HANDLER_LEAKED', `${detail}; make it honour ctx.signal`))
}
