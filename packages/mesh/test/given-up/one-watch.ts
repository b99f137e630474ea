import type { TestMesh } from '@malha/testing'
import { connect } from '@nats-io/transport-node'
import { GivenUpLeader } from '../../src/given-up/given-up-leader.ts'
import { GivenUpWatch } from '../../src/given-up/given-up-watch.ts'
import { type Logger, silentLogger } from '../../src/index.ts'
import { watchConnection } from '../../src/lifecycle/connection-watch.ts'
import { meshMetrics } from '../../src/observe/mesh-metrics.ts'
import { noMetrics } from '../../src/observe/metrics.ts'
import { PublishPipeline } from '../../src/publish/pipeline.ts'
import { openCheckpoints } from '../../src/topology/checkpoint.ts'
import { ownRights } from '../../src/topology/own-rights.ts'

export type OneWatch = AsyncDisposable & {
  readonly leads: boolean
  /** How often a durable was brought back, by what it was found. */
  readonly broughtBack: { advisory: number; sweep: number }
  readonly warnings: string[]
  stop(): Promise<void>
  /** As a process that is killed: it gives nothing back. */
  kill(): Promise<void>
}

/** A process that looks after what the server gives up, and runs no handler. */
export async function watchOf({ mesh, url }: TestMesh, { sweepMs }: { sweepMs: number }): Promise<OneWatch> {
  const nc = await connect({ servers: url, reconnect: false })
  const connection = watchConnection(nc)
  const state = { leads: false, broughtBack: { advisory: 0, sweep: 0 }, warnings: [] as string[] }
  const ignore = (): void => undefined
  const log: Logger = {
    debug: ignore,
    info: ignore,
    error: ignore,
    warn: (fields, message) => void state.warnings.push(`${message} ${JSON.stringify(fields)}`),
  }
  const watch = new GivenUpWatch({
    nc,
    connection,
    rights: ownRights(nc, connection),
    names: mesh.names,
    pipeline: new PublishPipeline(nc, connection, { inboxPrefix: '_INBOX' }),
    log,
    metrics: {
      ...meshMetrics(noMetrics),
      leads: (isLeader) => (state.leads = isLeader),
      broughtBack: (_, by) => void state.broughtBack[by]++,
    },
    topology: 'ensure',
    sweepMs,
    leaseMs: 1000,
    tryMs: 200,
  })
  const leave = watch.join()
  const kill = async (): Promise<void> => {
    await nc.close()
    await leave()
  }
  const stop = async (): Promise<void> => {
    await leave()
    await nc.close()
  }
  return Object.assign(state, { stop, kill, [Symbol.asyncDispose]: async () => (nc.isClosed() ? undefined : stop()) })
}

/** One that leads whoever else does. */
export async function leading({ mesh, url }: TestMesh): Promise<AsyncDisposable & { readonly failed: unknown }> {
  const nc = await connect({ servers: url })
  const pipeline = new PublishPipeline(nc, watchConnection(nc), { inboxPrefix: '_INBOX' })
  const checkpoints = await openCheckpoints(nc, mesh.names)
  const metrics = meshMetrics(noMetrics)
  const leader = new GivenUpLeader({ nc, names: mesh.names, pipeline, checkpoints, log: silentLogger, metrics })
  const stopping = new AbortController()
  const state = { failed: undefined as unknown }
  const led = leader.lead(300, stopping.signal).catch((error: unknown) => (state.failed = error))
  const stop = async (): Promise<void> => {
    stopping.abort()
    await led
    await nc.close()
  }
  return Object.assign(state, { [Symbol.asyncDispose]: stop })
}
