/**
 * The mesh of one process: a connection, a publish pipeline, the services it runs.
 *
 * M1  `close()` comes after every handler has ended and every publish has its answer, each bounded.
 * M2  What is published after `close()` began is refused (MESH_CLOSED), never dropped.
 * M3  Once the connection is closed, by whomever, no handler is called any more: nothing that it does could be written down.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Settler } from '../consume/settler.ts'
import { Solitude } from '../consume/solitude.ts'
import { delayApi } from '../delay/api.ts'
import { Delays } from '../delay/delays.ts'
import { provisionDelays } from '../delay/durable.ts'
import { MeshError } from '../errors.ts'
import { GivenUpWatch } from '../given-up/given-up-watch.ts'
import type { AnyContract } from '../message/contract.ts'
import { meshMetrics } from '../observe/mesh-metrics.ts'
import { publishMs } from '../publish/check-publish.ts'
import { BatchLanes } from '../publish/batch-lanes.ts'
import { GroupCommit } from '../publish/group-commit.ts'
import { PublishPipeline } from '../publish/pipeline.ts'
import { OwnSent } from '../publish/sent.ts'
import { STORE } from '../publish/store.ts'
import { outgoing, type PublishOptions } from '../publish/outgoing.ts'
import { publishAll } from '../publish/publish-all.ts'
import { withPrepared } from '../publish/prepared.ts'
import { requesterOf } from '../request/requester.ts'
import { type Published, publishEvent } from '../publish/publisher.ts'
import type { ServiceDef } from '../service/define.ts'
import { names as namesOf } from '../topology/names.ts'
import { ownRights } from '../topology/own-rights.ts'
import { openBucket } from './bucket.ts'
import { connectNats, whyNoConnection } from './connect.ts'
import { watchConnection } from './connection-watch.ts'
import { watchExpiry } from './expiry-watch.ts'
import { movingAway } from './move-away.ts'
import { type MeshOptions, type ResolvedMeshOptions, resolveMeshOptions } from './options.ts'
import type { Mesh } from './mesh.ts'
import { expiringFiles } from './own-files.ts'
import { sayConnection } from './say-connection.ts'
import { haveBucket } from './say-contracts.ts'
import { certificatesOf } from './server-look.ts'
import { type Connected, spoolingMesh } from './spooling-mesh.ts'
import {
  provisionHandlers,
  provisionService,
  type RunningService,
  type ServiceDeps,
  startService,
} from './start-service.ts'
import { untilStopped } from './until-stopped.ts'
import { whyAway } from './why-away.ts'

const CLOSE_PUBLISH_MS = 10_000

/**
 * Connects to NATS (nats-server 2.14 or later, JetStream on). With a `spool` also when NATS is away; see `connected()`.
 * @throws MeshError MESH_INVALID_OPTIONS | MESH_CONNECT_FAILED | MESH_AUTH_FAILED | MESH_SERVER_TOO_OLD | MESH_JETSTREAM_OFF |
 * MESH_SPOOL_IN_USE | MESH_SPOOL_UNUSABLE
 */
export async function connectMesh(options: MeshOptions): Promise<Mesh> {
  const resolved = resolveMeshOptions(options)
  if (resolved.spool) return await spoolingMesh(resolved, resolved.spool, () => connectNow(resolved))
  return (await connectNow(resolved)).mesh
}

async function connectNow(resolved: ResolvedMeshOptions): Promise<Connected> {
  const nc = await connectNats(resolved)
  const names = namesOf(resolved.namespace)
  const log = resolved.logger
  const metrics = meshMetrics(resolved.metrics)
  const connection = watchConnection(
    nc,
    movingAway(nc, () => connection, log),
  )
  const pipeline = new PublishPipeline(nc, connection, { inboxPrefix: resolved.inboxPrefix })
  const settler = new Settler(nc, connection)
  const rights = ownRights(nc, connection)
  const delays = new Delays({ ...resolved, nc, connection, rights, names, pipeline, settler, metrics, log })
  const sent = new OwnSent(metrics)
  const { topology } = resolved
  const givenUp = new GivenUpWatch({ nc, connection, rights, names, pipeline, metrics, log, topology })
  const deps: ServiceDeps = {
    nc,
    connection,
    rights,
    names,
    options: resolved,
    log,
    metrics,
    publisher: {
      nc,
      pipeline,
      commits: new GroupCommit(nc, pipeline),
      batches: new BatchLanes(pipeline),
      metrics,
      sent,
      delays,
    },
    sent,
    settler,
    solitude: new Solitude(),
    givenUp,
  }
  const requester = requesterOf(deps)
  const services = new Map<string, RunningService>()
  const starting = new Set<string>()
  let closing: Promise<void> | undefined
  const away = whyAway({ connection, look: () => whyNoConnection(resolved), log })
  const stopExpiryWatch = watchExpiry(resolved, { connection, metrics, log })
  sayConnection({ nc, connection, names, log, delays, givenUp }, () => closing !== undefined)

  const start = async (service: ServiceDef): Promise<RunningService> => {
    if (closing !== undefined)
      throw new MeshError('MESH_CLOSED', `service ${service.name} was not started: the mesh is closed`)
    if (services.has(service.name) || starting.has(service.name))
      throw new MeshError('MESH_INVALID_SERVICE', `service ${service.name} runs in this process already`)
    starting.add(service.name)
    try {
      const running = await startService(deps, service, () => services.delete(service.name))
      services.set(service.name, running)
      return running
    } finally {
      starting.delete(service.name)
    }
  }
  const close = async (): Promise<void> => {
    await Promise.all([...services.values()].map((service) => service.stop()))
    await requester.close(CLOSE_PUBLISH_MS)
    await delays.stop()
    await Promise.race([pipeline.close(), sleep(CLOSE_PUBLISH_MS, undefined, { ref: false })])
    away.stop()
    stopExpiryWatch()
    if (!nc.isClosed()) await nc.drain().catch(() => nc.close())
  }
  /** What services say of themselves is for those who may not make its bucket; it fails no release. */
  const withBucket = async <Report>(provisioned: Promise<Report>): Promise<Report> => {
    const report = await provisioned
    if (topology === 'ensure') await haveBucket(deps)
    return report
  }
  const place = { names, from: resolved.name }
  const publish = (contract: AnyContract, data: unknown, options?: PublishOptions): Promise<Published> => {
    try {
      const out = outgoing(place, { contract, data, options })
      return out instanceof Promise
        ? out.then((ready) => publishEvent(deps.publisher, ready))
        : publishEvent(deps.publisher, out)
    } catch (error) {
      return Promise.reject(error)
    }
  }
  const mesh: Mesh = {
    nats: nc,
    names,
    log,
    queued: undefined,
    connected: () => Promise.resolve(),
    publish,
    publishPrepared: async (event, { timeoutMs } = {}) =>
      withPrepared(event, { names, timeoutMs: publishMs(event.envelope.type, timeoutMs) }, (out) =>
        publishEvent(deps.publisher, out),
      ),
    publishAll: (publications, allOptions = {}) =>
      publishAll({ publisher: deps.publisher, names, from: resolved.name }, publications, allOptions),
    request: requester.request,
    requestStream: requester.requestStream,
    ...delayApi(delays, { names, from: resolved.name }),
    start,
    async run(service, { signal } = {}) {
      const running = await start(service)
      await untilStopped(running, { signal, log })
    },
    provision: (service) => withBucket(provisionService(deps, service)),
    provisionHandlers: (service) => withBucket(provisionHandlers(deps, service)),
    provisionDelays: (contracts) =>
      provisionDelays(
        { nc, names, topology },
        contracts.map(({ type }) => type),
      ),
    health() {
      const reasons = [
        ...(closing ? ['the mesh closes'] : []),
        // With a spool the process takes events all the same.
        ...(connection.isUp() || resolved.spool ? [] : ['NATS is away', ...(away.reason ? [away.reason] : [])]),
        ...[...(resolved.spool ? [] : starting)].map((service) => `${service} starts`),
        ...[...services.values()].flatMap((service) => service.faults()),
      ]
      return { ready: reasons.length === 0, reasons }
    },
    expiring: async (servers = [nc.getServer()]) =>
      (await Promise.all([expiringFiles(resolved), certificatesOf(servers, resolved.tls)])).flat(),
    bucket: (name, bucketOptions = {}) =>
      openBucket(
        { nc, names, pipeline },
        { name, replicas: resolved.replicas, mayCreate: resolved.topology === 'ensure', ...bucketOptions },
      ),
    close: () => (closing ??= close()),
    [Symbol.asyncDispose]: () => (closing ??= close()),
    [STORE]: (request) => pipeline.publish(request),
  }
  connection.listen({
    closed() {
      if (closing) return
      log.error(
        {},
        'the NATS connection of the mesh was closed, so the mesh closes; call mesh.close() in place of nats.close()',
      )
      void mesh.close()
    },
  })
  return { mesh, deps }
}
