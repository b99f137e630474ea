import type { TestMesh } from '@malha/testing'
import type { NatsConnection } from '@nats-io/transport-node'
import { Supervisor } from '../../src/consume/supervisor.ts'
import type { LetterOffice } from '../../src/failure/dead-letter.ts'
import { type Logger, silentLogger, streamState } from '../../src/index.ts'
import { watchConnection } from '../../src/lifecycle/connection-watch.ts'
import { meshMetrics } from '../../src/observe/mesh-metrics.ts'
import { noMetrics } from '../../src/observe/metrics.ts'
import { openCheckpoints } from '../../src/topology/checkpoint.ts'

export type OneSupervisorOptions = {
  /** Names as the server has them. */
  stream: string
  durable: string
  filter: string
  /** @default 0 */
  settled?: number
  nc?: NatsConnection
  log?: Logger
  office?: LetterOffice
  onRepeat?: (upTo: number) => void
}

/** Who looks after the durable of `worker`'s handler `work`, which a test has run and stopped. It looks when it is told to. */
export async function supervisorOf({ mesh, nats }: TestMesh, options: OneSupervisorOptions): Promise<Supervisor> {
  const { stream, durable, filter, settled = 0, nc = nats, log = silentLogger } = options
  const { epoch } = await streamState(nats, stream)
  return new Supervisor({
    nc,
    connection: watchConnection(nats),
    log,
    metrics: meshMetrics(noMetrics),
    office: options.office ?? ({} as never),
    labels: { service: 'worker', handler: 'work' },
    stream,
    durables: [{ durable, filters: [filter], epoch, settled }],
    lane: { stream: mesh.names.lanes('worker'), durable },
    checkpoints: await openCheckpoints(nats, mesh.names),
    restore: () => Promise.resolve([]),
    mayMake: false,
    onEpoch: () => undefined,
    onRepeat: options.onRepeat ?? (() => undefined),
    maxAgeMs: 3_600_000,
  })
}
