/**
 * A mesh with a spool: what is published goes to the broker, or to the disk while that is away. It exists before the first
 * connection does.
 *
 * L1  Whoever needs the broker waits for it (`start`, `run`, `provision`, `bucket`); whoever publishes does not; whoever needs
 *     an answer fails at once (MESH_CONNECT_FAILED).
 * L2  What is published and cannot be queued (with `expect`, for later, `publishAll`, `publishPrepared`) waits for the broker,
 *     and until nothing of its stream is queued, each within its own `timeoutMs`.
 * L3  That the broker is away is no reason not to be ready: the process is there to take events.
 * L4  The spool is closed last, so that what handlers publish while they end is kept.
 */
import { MeshError } from '../errors.ts'
import type { AnyContract } from '../message/contract.ts'
import { meshMetrics, type MeshMetrics } from '../observe/mesh-metrics.ts'
import { publishMs } from '../publish/check-publish.ts'
import { outgoing, type PublishOptions } from '../publish/outgoing.ts'
import type { Published, Queued } from '../publish/publisher.ts'
import { Drainer } from '../publish/spool/drainer.ts'
import { Heard, type Line } from '../publish/spool/line.ts'
import { Obituary } from '../publish/spool/obituary.ts'
import { publishOrQueue } from '../publish/spool/queueing-publisher.ts'
import { Spool, type SpoolOptions } from '../publish/spool/spool.ts'
import { STORE } from '../publish/store.ts'
import { names as namesOf } from '../topology/names.ts'
import { connectSoonOrLater } from './late-connection.ts'
import type { Mesh } from './mesh.ts'
import type { ResolvedMeshOptions } from './options.ts'
import type { ServiceDeps } from './start-service.ts'

/** A mesh and what it is made of. */
export type Connected = { readonly mesh: Mesh; readonly deps: ServiceDeps }

const GAUGES_MS = 1000
const LOG_EVERY = 60

/** @throws MeshError MESH_SPOOL_IN_USE | MESH_SPOOL_UNUSABLE, and those of `connect` but for MESH_CONNECT_FAILED */
export async function spoolingMesh(
  options: ResolvedMeshOptions,
  spoolOptions: SpoolOptions,
  connect: () => Promise<Connected>,
): Promise<Mesh> {
  const { logger: log } = options
  const names = namesOf(options.namespace)
  const metrics = meshMetrics(options.metrics)
  const spool = await Spool.open(spoolOptions, log)
  const link = await connectSoonOrLater(connect, log).catch((error: unknown) => {
    spool.close()
    throw error
  })
  const heard = new Heard()
  const line = (): Line | undefined => link.current?.deps
  const drainer = new Drainer({ spool, line, heard, log })
  const obituary = new Obituary({ spool, line, names, instance: options.name, log })
  const wake = (): void => {
    drainer.wake()
    obituary.wake()
  }
  spool.onAdded = () => drainer.wake()
  spool.onDead = () => obituary.wake()
  const stopWatching = watchSpool(spool, metrics, log)
  const onceThere = async (): Promise<void> => {
    const { connection } = (await link.ready).deps
    connection.listen({ down: () => heard.forget(), up: wake })
    wake()
  }
  // It rejects when the mesh is closed before; then nobody waits for it.
  onceThere().catch(() => undefined)
  // A loop for what an earlier process left, which says so while the broker is still away.
  drainer.wake()

  const there = async (): Promise<Mesh> => (await link.ready).mesh
  const now = (): Mesh => {
    if (link.current) return link.current.mesh
    const why = 'NATS was not there yet since this process started; await mesh.connected()'
    throw new MeshError('MESH_CONNECT_FAILED', why)
  }
  /** Upholds L2. Resolves with what is left of the time, ms. */
  const behind = async (streams: readonly string[], timeoutMs: number): Promise<{ mesh: Mesh; timeoutMs: number }> => {
    const started = performance.now()
    const signal = AbortSignal.timeout(timeoutMs)
    const late = (why: string): MeshError =>
      closing
        ? new MeshError('MESH_CLOSED', 'the mesh is closed; nothing was sent')
        : new MeshError('MESH_PUBLISH_TIMEOUT', `${streams.join(', ')}: ${why} after ${timeoutMs} ms; nothing was sent`)
    if (!link.current && !(await within(link.ready, signal))) throw late('NATS was not there')
    for (const stream of new Set(streams))
      if (!(await drainer.emptied(stream, signal))) throw late('earlier events were still queued')
    const left = Math.ceil(timeoutMs - (performance.now() - started))
    return { mesh: now(), timeoutMs: Math.max(1, left) }
  }
  const publish = async (
    contract: AnyContract,
    data: unknown,
    given: PublishOptions = {},
  ): Promise<Published | Queued> => {
    const out = await outgoing({ names, from: options.name }, { contract, data, options: given })
    if (!out.expect && !out.delay) return await publishOrQueue({ spool, line, heard, metrics }, out)
    // Only the broker knows whether an expectation holds, and its clock is the one a delay goes by.
    const { mesh, timeoutMs } = await behind([out.stream], out.timeoutMs)
    return await mesh.publish(contract, data, { ...given, timeoutMs })
  }
  let closing: Promise<void> | undefined
  const close = async (): Promise<void> => {
    await link.stop()
    await Promise.all([drainer.stop(), obituary.stop()])
    await link.current?.mesh.close()
    stopWatching()
    spool.close()
  }
  return {
    get nats() {
      return now().nats
    },
    names,
    log,
    get queued() {
      return spool.size
    },
    connected: async () => void (await there()),
    publish: publish as Mesh['publish'],
    async publishAll(publications, given = {}) {
      // All together or not at all is nothing a spool can promise.
      const streams = publications.map(({ contract }) => names.stream(contract.stream))
      const { mesh, timeoutMs } = await behind(streams, publishMs('several events', given.timeoutMs))
      return await mesh.publishAll(publications, { ...given, timeoutMs })
    },
    async publishPrepared(event, given = {}) {
      const { mesh, timeoutMs } = await behind(
        [names.stream(event.stream)],
        publishMs(event.envelope.type, given.timeoutMs),
      )
      return await mesh.publishPrepared(event, { timeoutMs })
    },
    cancelDelayed: async (contract, delayKey) => now().cancelDelayed(contract, delayKey),
    schedule: async (contract, data, scheduleOptions) => now().schedule(contract, data, scheduleOptions),
    unschedule: async (contract, name) => now().unschedule(contract, name),
    delayed: async (contract, listOptions) => now().delayed(contract, listOptions),
    request: async (contract, data, given) => now().request(contract, data, given),
    async *requestStream(contract, data, given) {
      yield* now().requestStream(contract, data, given)
    },
    start: async (service) => (await there()).start(service),
    run: async (service, given) => (await there()).run(service, given),
    provision: async (service) => (await there()).provision(service),
    provisionHandlers: async (service) => (await there()).provisionHandlers(service),
    expiring: async (servers) => (await there()).expiring(servers),
    provisionDelays: async (contracts) => (await there()).provisionDelays(contracts),
    bucket: async (name, given) => (await there()).bucket(name, given),
    health() {
      const reasons = link.current?.mesh.health().reasons ?? (closing ? ['the mesh closes'] : [])
      return { ready: reasons.length === 0, reasons }
    },
    close: () => (closing ??= close()),
    [Symbol.asyncDispose]: () => (closing ??= close()),
    [STORE]: async (request) => (await there())[STORE](request),
  }
}

/** Whether it came before the signal did. @throws what `promise` rejects with */
async function within(promise: Promise<unknown>, signal: AbortSignal): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<false>()
  const onAbort = (): void => resolve(false)
  signal.addEventListener('abort', onAbort)
  try {
    return await Promise.race([promise.then(() => true), late])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** Gauges, and a line a minute while something waits. Returns how to stop. */
function watchSpool(spool: Spool, metrics: MeshMetrics, log: ServiceDeps['log']): () => void {
  let ticks = 0
  const look = (): void => {
    const { entries, bytes, maxBytes, dead, oldestAt } = spool.state()
    const oldestMs = oldestAt === undefined ? 0 : Math.max(0, Date.now() - oldestAt)
    metrics.spool({ entries, bytes, maxBytes, oldestMs, dead })
    const queued = spool.size
    if (queued > 0 && ++ticks % LOG_EVERY === 0)
      log.warn({ queued, bytes, oldestMs, dead }, 'events wait in the spool for the broker')
  }
  look()
  const timer = setInterval(look, GAUGES_MS).unref()
  return () => clearInterval(timer)
}
