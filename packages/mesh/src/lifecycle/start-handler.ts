import type { KV } from '@nats-io/kv'
import { HandlerRunner } from '../consume/handler-runner.ts'
import type { ServerClock } from './server-clock.ts'
import { LaneWatch } from '../consume/lane-watch.ts'
import type { FailedAttempt, HandlerCounts, RunnerOptions } from '../consume/runner-options.ts'
import { StreamIdentity } from '../consume/stream-identity.ts'
import { Supervisor } from '../consume/supervisor.ts'
import { type AttemptFailed, attemptFailed, type BreakerChanged, breakerChanged } from '../failure/mesh-events.ts'
import { say, type SayDeps } from '../failure/say.ts'
import { outcomeLabels } from '../observe/mesh-metrics.ts'
import { traceparentOf } from '../observe/spans.ts'
import type { HandlerDef, ServiceDef } from '../service/define.ts'
import { meshStream } from '../topology/system.ts'
import { bind, type Bound, bindShadow } from './bind-handlers.ts'
import { partitionStoreOf, startOrdered } from './start-ordered.ts'
import type { ServiceDeps } from './start-service.ts'

/** A handler that runs, and who looks after it. */
export type StartedHandler = {
  handler: string
  /** Names on the server; an ordered handler has no durable on its stream. */
  stream: string
  durables: readonly string[]
  counts: Readonly<HandlerCounts>
  runner: Pick<HandlerRunner, 'start' | 'stop' | 'faults' | 'adjust' | 'setPaused' | 'state'> & {
    /** Something was sent to it, or said of its letters; the runner of one that pulls from its lane need not know. */
    hear?: () => void
  }
  supervisor: Pick<Supervisor, 'look' | 'stop' | 'fault' | 'gauges'>
}

type HandlerParts = Bound & { checkpoints: KV; clock: ServerClock; onFatal: (error: Error) => void }

export function startHandler(deps: ServiceDeps, service: ServiceDef, parts: HandlerParts): StartedHandler {
  const { nc, names, options, log, metrics, publisher } = deps
  const { handler, consumers } = parts
  const def = { ...parts.def, handle: parts.def.batch?.gather() ?? parts.def.handle }
  const [{ stream, epoch }] = consumers
  let doubt: (why: string) => void = () => undefined
  const onDoubt = (why: string): void => doubt(why)
  const identity = new StreamIdentity({ nc, stream, onOther: onDoubt })
  const lane = { nc, pipeline: publisher.pipeline, names, service: service.name, handler, clock: parts.clock, identity }
  const office = {
    nc,
    pipeline: publisher.pipeline,
    names,
    service: service.name,
    serviceVersion: service.version,
    handler,
  }
  const labels = { service: service.name, handler }
  const counts = { done: 0, failed: 0 }
  const own = { pipeline: publisher.pipeline, names, log }
  const runnerOptions: RunnerOptions = {
    nc,
    connection: deps.connection,
    names,
    inboxPrefix: options.inboxPrefix,
    log,
    metrics,
    publisher,
    settler: deps.settler,
    instance: options.name,
    solitude: deps.solitude,
    service,
    handler,
    labels,
    outcomes: outcomeLabels(labels),
    counts,
    def,
    stream,
    durables: def.shadow ? [] : consumers.map(({ durable }) => durable),
    epoch,
    lane,
    office,
    record: (failed) => recordAttempt(own, labels, { failed, def }),
    onBreaker: (state) => {
      const data: BreakerChanged = { ...labels, instance: options.name, state, at: new Date().toISOString() }
      void say(own, breakerChanged, { service: service.name, data })
    },
    onDoubt,
    onFatal: parts.onFatal,
  }
  if (parts.beginning) {
    const store = partitionStoreOf(deps, service, handler)
    const ordered = startOrdered({ ...runnerOptions, store, beginning: parts.beginning })
    doubt = () => void ordered.supervisor.look()
    return { handler, stream, durables: [], counts, ...ordered }
  }
  const runner = new HandlerRunner(runnerOptions)
  if (def.shadow) {
    const restore = (): Promise<unknown> => bindShadow(deps, service, { ...parts, onlyMissing: true })
    const supervisor = new LaneWatch({ log, labels, restore })
    doubt = (why) => supervisor.doubt(why)
    return { handler, stream, durables: [], counts, runner, supervisor }
  }
  const supervisor = new Supervisor({
    nc,
    connection: deps.connection,
    log,
    metrics,
    office,
    labels,
    stream,
    durables: consumers,
    lane: { stream: names.lanes(service.name), durable: names.durable(service.name, handler) },
    maxAgeMs: def.source.stream.maxAgeMs,
    checkpoints: parts.checkpoints,
    restore: async () => (await bind(deps, service, { ...parts, onlyMissing: true })).consumers,
    mayMake: deps.options.topology === 'ensure',
    onEpoch: (epoch) => runner.renewEpoch(epoch),
    onRepeat: (upTo) => runner.expectRepeats(upTo),
  })
  doubt = (why) => supervisor.doubt(why)
  return { handler, stream, durables: runnerOptions.durables, counts, runner, supervisor }
}

/** A failure of a handler of the mesh's own events leaves no record: it would feed itself. */
async function recordAttempt(
  deps: SayDeps,
  labels: { service: string; handler: string },
  { failed, def }: { failed: FailedAttempt; def: HandlerDef },
): Promise<void> {
  const { delivery, envelope, verdict, nextAttemptAt } = failed
  if (def.source.stream.name === meshStream.name) return
  const { stream, epoch, seq } = delivery.source
  const traceparent = delivery.previousAttempt && traceparentOf(delivery.previousAttempt)
  await say(deps, attemptFailed, {
    service: labels.service,
    about: { id: envelope.id, correlationId: envelope.correlationId, traceparent },
    data: {
      id: envelope.id,
      type: envelope.type,
      ...(envelope.key === undefined ? {} : { key: envelope.key }),
      ...labels,
      attempt: delivery.attempts,
      code: verdict.code,
      message: verdict.message.slice(0, 500),
      at: new Date().toISOString(),
      nextAttemptAt,
      outcome: nextAttemptAt === null ? 'dead-letter' : 'retry',
      stream,
      epoch,
      seq,
    } satisfies AttemptFailed,
  })
}
