import type { NatsConnection } from '@nats-io/transport-node'
import type { KV } from '@nats-io/kv'
import { HandlerRunner, type Limits } from '../consume/handler-runner.ts'
import { limitFaults } from '../consume/rate-limit.ts'
import type { Beginning } from '../consume/ordered/partition-store.ts'
import type { FailedAttempt, RunnerOptions } from '../consume/runner-options.ts'
import type { Settler } from '../consume/settler.ts'
import { Supervisor } from '../consume/supervisor.ts'
import { faultsError, MeshError } from '../errors.ts'
import { type AttemptFailed, attemptFailed, type BreakerChanged, breakerChanged } from '../failure/mesh-events.ts'
import { say, type SayDeps } from '../failure/say.ts'
import type { Logger } from '../observe/logger.ts'
import type { MeshMetrics } from '../observe/mesh-metrics.ts'
import type { PublisherDeps } from '../publish/publisher.ts'
import { traceparentOf } from '../observe/spans.ts'
import { startReplies } from '../request/start-replies.ts'
import { batchFaults } from '../service/batch-faults.ts'
import type { HandlerDef, ServiceDef } from '../service/define.ts'
import { openCheckpoints } from '../topology/checkpoint.ts'
import { ensureConsumer, ensureLaneConsumer, type EnsuredConsumer, hasPast } from '../topology/consumer.ts'
import { type EventDurable, eventDurablesOf } from '../topology/event-durables.ts'
import { type HandlerPlace, orphanFaults } from '../topology/orphans.ts'
import type { Names } from '../topology/names.ts'
import { checkOrder, ensureOrdered } from '../topology/ordered.ts'
import { provisionStreams } from '../topology/provision.ts'
import { meshStream } from '../topology/system.ts'
import type { StreamDef } from '../topology/stream.ts'
import { type BootReport, logReport } from './boot-report.ts'
import type { ConnectionWatch } from './connection-watch.ts'
import type { ResolvedMeshOptions } from './options.ts'
import { hasOrder, partitionStoreOf, startOrdered } from './start-ordered.ts'

export type ServiceDeps = {
  nc: NatsConnection
  connection: ConnectionWatch
  names: Names
  options: ResolvedMeshOptions
  log: Logger
  metrics: MeshMetrics
  publisher: PublisherDeps
  settler: Settler
}

/** A service whose handlers run. */
export interface RunningService extends AsyncDisposable {
  readonly report: BootReport
  /** Resolves after `stop()`; rejects when the process can do no more for a handler or a reply (MESH_HANDLER_LEAKED). */
  readonly stopped: Promise<void>
  /** Why the service is not ready; empty when it is. */
  faults(): string[]
  /**
   * Changes how much of a handler this process does at once or a second, from now on and until it ends; the service's
   * own declaration holds again after a restart. `rateLimit: null` takes the limit away.
   * @throws MeshError MESH_INVALID_OPTIONS: no such handler, or a limit out of bounds
   */
  adjust(handler: string, limits: Limits): void
  /** Stops pulling, waits for handlers, hands back the rest. Safe to call twice. */
  stop(): Promise<void>
}

const DRAIN_MS = 25_000

/**
 * Streams and buckets of a service, made or compared.
 * @throws MeshError MESH_TOPOLOGY with every fault
 */
export async function provisionService(deps: ServiceDeps, service: ServiceDef): Promise<Omit<BootReport, 'handlers'>> {
  const { nc, names, options, log } = deps
  const { streams } = await provisionStreams(nc, names, {
    streams: streamsOf(service),
    lanesFor: service.name,
    ordered: hasOrder(service),
    inbox: Object.values(service.handlers).some((def) => def.inbox !== undefined),
    mode: options.topology,
    replicas: options.replicas,
    log,
  })
  return { service: service.name, streams }
}

/**
 * Binds every handler of a service and starts it.
 * @throws MeshError MESH_TOPOLOGY with every fault of every stream and handler
 */
export async function startService(
  deps: ServiceDeps,
  service: ServiceDef,
  onStopped: () => void,
): Promise<RunningService> {
  const provisioned = await provisionService(deps, service)
  const checkpoints = await openCheckpoints(deps.nc, deps.names)
  const bound = await bindAll(deps, service, checkpoints)
  const report = {
    ...provisioned,
    handlers: bound.map(({ handler, def, consumers }) => ({
      handler,
      source: sourceName(def),
      stream: consumers[0].stream,
      durable: consumers[0].durable,
      created: consumers[0].created,
      concurrency: def.concurrency,
    })),
  }
  logReport(deps.log, report)
  deps.publisher.delays.serve()
  return await running(deps, service, { report, bound, checkpoints, onStopped })
}

/** A handler with its durables on its event stream. */
type Bound = { handler: string; def: HandlerDef; consumers: Consumers; beginning?: Beginning | undefined }
type Consumers = readonly [EnsuredConsumer, ...EnsuredConsumer[]]

async function bindAll(deps: ServiceDeps, service: ServiceDef, checkpoints: KV): Promise<Bound[]> {
  const faults = await orphanFaults(deps.nc, deps.names, {
    service: service.name,
    handlers: placesOf(deps, service),
    retired: service.retired,
    log: deps.log,
  })
  // A renamed handler must not get a durable before its old one is dealt with.
  if (faults.length > 0) throw faultsError('MESH_TOPOLOGY', `service ${service.name} cannot start`, faults)
  const bound: Bound[] = []
  for (const [handler, def] of Object.entries(service.handlers)) {
    try {
      const parts = { handler, def, checkpoints, onlyMissing: false }
      bound.push({ handler, def, ...(await (def.order ? bindOrdered : bind)(deps, service, parts)) })
    } catch (error) {
      if (!(error instanceof MeshError)) throw error
      faults.push(error.message)
    }
  }
  if (faults.length > 0) throw faultsError('MESH_TOPOLOGY', `service ${service.name} cannot start`, faults)
  return bound
}

type BindParts = { handler: string; def: HandlerDef; checkpoints: KV; onlyMissing: boolean }

async function bind(
  { nc, names, options, log }: ServiceDeps,
  service: ServiceDef,
  { handler, def, checkpoints, onlyMissing }: BindParts,
): Promise<{ consumers: Consumers }> {
  await checkOrder(nc, names, { service: service.name, handler, def })
  const common = { service: service.name, handler, def, mode: options.topology, onlyMissing, log }
  const stream = names.stream(def.source.stream)
  const ensure = (durable: EventDurable): Promise<EnsuredConsumer> =>
    ensureConsumer(nc, names, { ...common, durable, stream, checkpoints })
  const [main, ...more] = eventDurablesOf(def)
  // The subjects of these came with the priorities: to a handler that was here before, all that is there is due. The main
  // durable is made last, because it says that a handler is not new.
  const isKnown = more.length > 0 && (await hasPast(nc, names, { ...common, stream, checkpoints }))
  const parts = await Promise.all(more.map((part) => ensure(isKnown ? { ...part, startFrom: 'all' } : part)))
  const consumers: Consumers = [await ensure(main), ...parts]
  await ensureLaneConsumer(nc, names, common)
  return { consumers }
}

async function bindOrdered(
  deps: ServiceDeps,
  service: ServiceDef,
  { handler, def }: BindParts,
): Promise<{ consumers: Consumers; beginning: Beginning }> {
  const { nc, names, options, log } = deps
  const store = partitionStoreOf(deps, service, handler)
  const whose = { service: service.name, handler, def, log }
  const stream = names.stream(def.source.stream)
  const { consumer, beginning } = await ensureOrdered(nc, names, { ...whose, stream, store })
  await ensureLaneConsumer(nc, names, { ...whose, mode: options.topology })
  return { consumers: [consumer], beginning }
}

async function running(
  deps: ServiceDeps,
  service: ServiceDef,
  {
    report,
    bound,
    checkpoints,
    onStopped,
  }: { report: BootReport; bound: Bound[]; checkpoints: KV; onStopped: () => void },
): Promise<RunningService> {
  const stopped = Promise.withResolvers<void>()
  // Whoever does not wait for it must not die of it.
  stopped.promise.catch(() => undefined)
  const replies = await startReplies(deps, service, stopped.reject)
  const handlers = bound.map((one) => startHandler(deps, service, { ...one, checkpoints, onFatal: stopped.reject }))
  // Before anything is delivered: what aged out while nobody was here shows only now.
  await Promise.all(handlers.map(({ supervisor }) => supervisor.look()))
  for (const { runner } of handlers) runner.start()
  let stopping: Promise<void> | undefined
  const stop = async (): Promise<void> => {
    await Promise.all([replies.stop(DRAIN_MS), ...handlers.map(({ runner }) => runner.stop(DRAIN_MS))])
    await Promise.all(handlers.map(({ supervisor }) => supervisor.stop()))
    onStopped()
    stopped.resolve()
  }
  return {
    report,
    stopped: stopped.promise,
    faults: () => [
      ...(stopping ? ['the service stops'] : []),
      ...replies.faults(),
      ...handlers.flatMap(({ runner, supervisor }) => [
        ...runner.faults(),
        ...(supervisor.fault ? [supervisor.fault] : []),
      ]),
    ],
    adjust(name, limits) {
      const faults = limitFaults({ concurrency: limits.concurrency, rateLimit: limits.rateLimit ?? undefined })
      const found = handlers.find(({ handler }) => handler === name)
      const def = service.handlers[name]
      if (def && limits.concurrency !== undefined)
        faults.push(...batchFaults({ ...def, concurrency: limits.concurrency }))
      if (!found) faults.push(`there is no such handler; it has ${Object.keys(service.handlers).join(', ')}`)
      if (!found || faults.length > 0)
        throw faultsError('MESH_INVALID_OPTIONS', `handler ${name} of ${service.name}`, faults)
      found.runner.adjust(limits)
      deps.log.info({ service: service.name, handler: name, ...limits }, `the limits of ${name} were changed`)
    },
    stop: () => (stopping ??= stop()),
    [Symbol.asyncDispose]: () => (stopping ??= stop()),
  }
}

/** A handler that runs, and who looks after it. */
type StartedHandler = {
  handler: string
  runner: Pick<HandlerRunner, 'start' | 'stop' | 'faults' | 'adjust'>
  supervisor: Pick<Supervisor, 'look' | 'stop' | 'fault'>
}

type HandlerParts = Bound & { checkpoints: KV; onFatal: (error: Error) => void }

function startHandler(deps: ServiceDeps, service: ServiceDef, parts: HandlerParts): StartedHandler {
  const { nc, names, options, log, metrics, publisher } = deps
  const { handler, consumers } = parts
  const def = { ...parts.def, handle: parts.def.batch?.gather() ?? parts.def.handle }
  const [{ stream, epoch }] = consumers
  const lane = { nc, pipeline: publisher.pipeline, names, service: service.name, handler }
  const office = {
    nc,
    pipeline: publisher.pipeline,
    names,
    service: service.name,
    serviceVersion: service.version,
    handler,
  }
  const labels = { service: service.name, handler }
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
    service,
    handler,
    def,
    stream,
    durables: consumers.map(({ durable }) => durable),
    epoch,
    lane,
    office,
    record: (failed) => recordAttempt(own, labels, { failed, def }),
    onBreaker: (state) => {
      const data: BreakerChanged = { ...labels, instance: options.name, state, at: new Date().toISOString() }
      void say(own, breakerChanged, { service: service.name, data })
    },
    onDoubt: (why) => supervisor.doubt(why),
    onFatal: parts.onFatal,
  }
  if (parts.beginning) {
    const store = partitionStoreOf(deps, service, handler)
    return { handler, ...startOrdered({ ...runnerOptions, store, beginning: parts.beginning }) }
  }
  const runner = new HandlerRunner(runnerOptions)
  const supervisor: Supervisor = new Supervisor({
    nc,
    connection: deps.connection,
    log,
    metrics,
    office,
    labels,
    stream,
    durables: consumers,
    maxAgeMs: def.source.stream.maxAgeMs,
    checkpoints: parts.checkpoints,
    restore: async () => (await bind(deps, service, { ...parts, onlyMissing: true })).consumers,
    onEpoch: (epoch) => runner.renewEpoch(epoch),
  })
  return { handler, runner, supervisor }
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

/** Streams of all that the service handles and publishes, each once, and the mesh's own. */
function streamsOf(service: ServiceDef): StreamDef[] {
  const contracts = [...Object.values(service.handlers).map(({ source }) => source), ...service.publishes]
  return [...new Set(contracts.map((contract) => contract.stream))].filter((def) => def !== meshStream)
}

function placesOf({ names }: ServiceDeps, service: ServiceDef): Record<string, HandlerPlace> {
  const place = (handler: string, def: HandlerDef): HandlerPlace => ({
    stream: names.stream(def.source.stream),
    durables: eventDurablesOf(def).map(({ part }) => names.durable(service.name, handler, part)),
  })
  const entries = Object.entries(service.handlers)
  return Object.fromEntries(entries.map(([handler, def]) => [handler, place(handler, def)]))
}

const sourceName = ({ source }: HandlerDef): string => (source.kind === 'topic' ? source.pattern : source.type)
