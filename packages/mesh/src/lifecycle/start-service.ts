import { setTimeout as sleep } from 'node:timers/promises'
import type { NatsConnection } from '@nats-io/transport-node'
import type { KV } from '@nats-io/kv'
import { type Limits, limitFaults } from '../consume/rate-limit.ts'
import type { Settler } from '../consume/settler.ts'
import type { Solitude } from '../consume/solitude.ts'
import { sourceName, startControl } from '../control/start-control.ts'
import { readStream, ServerClock } from './server-clock.ts'
import { faultsError } from '../errors.ts'
import type { GivenUpWatch } from '../given-up/given-up-watch.ts'
import type { Logger } from '../observe/logger.ts'
import type { MeshMetrics } from '../observe/mesh-metrics.ts'
import type { PublisherDeps } from '../publish/publisher.ts'
import { type OwnSent, Sent, ServiceSent } from '../publish/sent.ts'
import { startReplies } from '../request/start-replies.ts'
import { batchFaults } from '../service/batch-faults.ts'
import type { ServiceDef } from '../service/define.ts'
import { openCheckpoints } from '../topology/checkpoint.ts'
import type { Names } from '../topology/names.ts'
import type { OwnRights } from '../topology/own-rights.ts'
import { needsOf } from '../topology/planned.ts'
import { provisionStreams } from '../topology/provision.ts'
import { bindAll, type Bound } from './bind-handlers.ts'
import { type BootReport, logReport } from './boot-report.ts'
import { type ConnectionWatch, untilUp } from './connection-watch.ts'
import { watchRights } from './rights-watch.ts'
import type { ResolvedMeshOptions } from './options.ts'
import { sayContracts } from './say-contracts.ts'
import { startHandler } from './start-handler.ts'

export type ServiceDeps = {
  nc: NatsConnection
  connection: ConnectionWatch
  rights: OwnRights
  names: Names
  options: ResolvedMeshOptions
  log: Logger
  metrics: MeshMetrics
  publisher: PublisherDeps
  /** Of what is published outside of handlers. */
  sent: OwnSent
  settler: Settler
  solitude: Solitude
  givenUp: GivenUpWatch
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
   * own declaration holds again after a restart. `rateLimit: null` takes the limit away. What is said to all instances
   * (`malha handlers set`) takes its place when that changes.
   * @throws MeshError MESH_INVALID_OPTIONS: no such handler, or a limit out of bounds
   */
  adjust(handler: string, limits: Limits): void
  /** Stops pulling, waits for handlers, hands back the rest. Safe to call twice. */
  stop(): Promise<void>
}

const DRAIN_MS = 25_000
const SAY_MS = 1000
const START_PATIENCE_MS = 20_000

/**
 * Streams and buckets of a service, made or compared.
 * @throws MeshError MESH_TOPOLOGY with every fault
 */
export async function provisionService(deps: ServiceDeps, service: ServiceDef): Promise<Omit<BootReport, 'handlers'>> {
  const { nc, names, options, log } = deps
  await untilUp(deps.connection, START_PATIENCE_MS)
  const { streams } = await provisionStreams(nc, names, {
    ...needsOf(service),
    mode: options.topology,
    replicas: options.replicas,
    log,
  })
  return { service: service.name, streams }
}

/**
 * The same with the durables of its handlers, for whoever makes all of it before the service runs.
 * @throws MeshError MESH_TOPOLOGY with every fault of every stream and handler
 */
export async function provisionHandlers(deps: ServiceDeps, service: ServiceDef): Promise<BootReport> {
  const { report } = await bindService(deps, service)
  return report
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
  const { report, bound, checkpoints } = await bindService(deps, service)
  logReport(deps.log, report)
  deps.publisher.delays.serve()
  return await running(deps, service, { report, bound, checkpoints, onStopped })
}

async function bindService(
  deps: ServiceDeps,
  service: ServiceDef,
): Promise<{ report: BootReport; bound: Bound[]; checkpoints: KV }> {
  const provisioned = await provisionService(deps, service)
  const checkpoints = await openCheckpoints(deps.nc, deps.names)
  const bound = await bindAll(deps, service, checkpoints)
  return { report: { ...provisioned, handlers: handlersOf(bound) }, bound, checkpoints }
}

const handlersOf = (bound: readonly Bound[]): BootReport['handlers'] =>
  bound.map(({ handler, def, consumers }) => ({
    handler,
    source: sourceName(def),
    stream: consumers[0].stream,
    durables: consumers.map(({ durable }) => durable),
    created: consumers.filter(({ created }) => created).map(({ durable }) => durable),
    concurrency: def.concurrency,
  }))

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
  let stopping: Promise<void> | undefined
  // Whoever does not wait for it must not die of it.
  stopped.promise.catch(() => undefined)
  const replies = await startReplies(deps, service, stopped.reject)
  const rights = watchRights(deps, service)
  const clock = new ServerClock(() => readStream(deps.nc, deps.names.lanes(service.name)), deps)
  // What comes from a lane is read by it; one that does not answer now is asked again before it is needed.
  const knowsTime = clock.now().catch(() => undefined)
  const parts = { checkpoints, clock, onFatal: stopped.reject }
  const sent = new ServiceSent(service)
  const takeAway = deps.sent.add(sent)
  const publisher = { ...deps.publisher, sent: new Sent(deps.metrics, (type) => sent.of(type)) }
  const handlers = bound.map((one) => startHandler({ ...deps, publisher }, service, { ...one, ...parts }))
  const control = startControl(deps, service, { handlers, sent, clock, faults: () => faults() })
  const faults = (): string[] => [
    ...(stopping ? ['the service stops'] : []),
    ...rights.faults(),
    ...replies.faults(),
    ...control.faults(),
    ...handlers.flatMap(({ runner, supervisor }) => [
      ...runner.faults(),
      ...(supervisor.fault ? [supervisor.fault] : []),
    ]),
  ]
  // Before anything is delivered: what aged out while nobody was here shows only now, and who is paused starts nothing.
  await Promise.all([rights.looked, knowsTime, control.look(), ...handlers.map(({ supervisor }) => supervisor.look())])
  for (const { runner } of handlers) runner.start()
  const leave = deps.givenUp.join()
  // Behind the first messages: schemas take a moment to be written down, and nobody waits for it.
  let saying: Promise<void> | undefined
  setImmediate(() => {
    if (!stopping) saying = sayContracts(deps, service)
  })
  const stop = async (): Promise<void> => {
    rights.stop()
    control.stop()
    const left = leave()
    await Promise.all([replies.stop(DRAIN_MS), ...handlers.map(({ runner }) => runner.stop(DRAIN_MS))])
    await Promise.all(handlers.map(({ supervisor }) => supervisor.stop()))
    // What it asked of the server comes to nothing after it has stopped, unless the server is silent.
    await Promise.race([saying, sleep(SAY_MS, undefined, { ref: false })])
    await left
    clock.close()
    takeAway()
    onStopped()
    stopped.resolve()
  }
  return {
    report,
    stopped: stopped.promise,
    faults,
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
