import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectMesh } from '@malha/mesh'
import { startNats, startNatsCluster } from '@malha/stack'
import { eventually } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { setTimeout as pause } from 'node:timers/promises'
import { acknowledgements } from './acknowledged.ts'
import { differences, diskOf, readDisk } from './disk.ts'
import type { Journal } from './disk-op.ts'
import { NEVER } from './strace-calls.ts'
import { makePlainStream, publishLoad, reader, READER_DURABLE, STREAMS } from './load.ts'
import { seededRandom } from '../chaos/seeded-random.ts'
import { survivors } from './survivors.ts'
import { journalOf, tracedNatsEnv } from './traced.ts'

export type ServerSetup = { replicas: 1 | 3; syncAlways: boolean; events: number }

export type Recording = {
  /** Of each server, `n1` first. */
  journals: Map<string, Journal>
  /** When each event was first acknowledged, microseconds since 1970, by its id. */
  acknowledged: Map<string, number>
  /** When publishing began, microseconds since 1970. */
  begunAt: number
  /** When the last event was acknowledged. */
  endedAt: number
}

export interface Broker extends AsyncDisposable {
  url: string
  nodes: readonly { name: string; start(): Promise<void>; kill(): Promise<void> }[]
}

type BrokerOptions = { dataDir: string; replicas: 1 | 3; syncAlways: boolean; env?: NodeJS.ProcessEnv; late?: string[] }

export const storeOf = (dataDir: string, node: string): string => join(dataDir, node, 'jetstream')

/** One server, `n1`, or three. */
export async function startBroker({ dataDir, replicas, ...options }: BrokerOptions): Promise<Broker> {
  if (replicas === 3) return await startNatsCluster({ dataDir, ...options })
  const server = await startNats({ dataDir: join(dataDir, 'n1'), ...options })
  const kill = async (): Promise<void> => {
    server.kill()
    await server.exited
  }
  return {
    url: server.url,
    nodes: [{ name: 'n1', start: () => Promise.resolve(), kill }],
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

/**
 * Runs a broker under strace while events are published and handled, and kills it when it is at rest.
 * @throws Error when the journals do not make the very files that the servers left
 */
export async function record({ replicas, syncAlways, events }: ServerSetup): Promise<Recording> {
  const folder = await mkdtemp(join(tmpdir(), 'malha-power-'))
  await using cleaning = new AsyncDisposableStack()
  cleaning.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const env = await tracedNatsEnv(folder)
  const broker = cleaning.use(await startBroker({ dataDir: folder, replicas, syncAlways, env }))
  const nodes = broker.nodes.map(({ name }) => name)
  const { told, begunAt } = await runLoad(broker.url, { replicas, events })
  await Promise.all(broker.nodes.map((node) => node.kill()))
  const journals = new Map<string, Journal>()
  for (const node of nodes) {
    const journal = await journalOf(join(folder, `${node}.strace`), storeOf(folder, node))
    await expectSame(journal, storeOf(folder, node))
    journals.set(node, journal)
  }
  const places = acknowledgements([...journals.values()].map(({ sent }) => sent))
  const unseen = [...told.keys()].filter((place) => !places.has(place))
  if (unseen.length > 0) throw new Error(`no journal shows the acknowledgement of ${unseen.slice(0, 5).join(', ')}`)
  const acknowledged = new Map([...told].map(([place, id]) => [id, places.get(place)!]))
  return { journals, acknowledged, begunAt, endedAt: Math.max(...acknowledged.values()) }
}

type Ran = { told: Map<string, string>; begunAt: number }

async function runLoad(url: string, { replicas, events }: { replicas: 1 | 3; events: number }): Promise<Ran> {
  await using nats = await connected(url)
  await using mesh = await connectMesh({ servers: url, replicas })
  const handled = new Set<string>()
  await mesh.start(reader((id) => handled.add(id)))
  await makePlainStream(nats.connection, replicas)
  await pause(SETTLE_MS)
  const begunAt = Date.now() * 1000
  const told = await publishLoad({ mesh, nats: nats.connection, events, replicas })
  const manager = await jetstreamManager(nats.connection)
  await eventually(async () => {
    if (handled.size < events) return false
    const { ack_floor: floor, num_ack_pending: open } = await manager.consumers.info(STREAMS.mesh, READER_DURABLE)
    return open === 0 && floor.stream_seq >= events
  })
  // The state of a consumer is written a moment later, and the files are compared with what the journal makes of them.
  await pause(SETTLE_MS)
  return { told, begunAt }
}

const SETTLE_MS = 3000

export async function connected(url: string): Promise<AsyncDisposable & { connection: NatsConnection }> {
  const connection = await connect({ servers: url.split(','), maxReconnectAttempts: -1, reconnectTimeWait: 100 })
  return { connection, [Symbol.asyncDispose]: () => connection.close() }
}

/** What keeps all of this honest: if the journal lacked a call, the files would not be the same. */
export async function expectSame({ ops }: Journal, store: string): Promise<void> {
  const cut = { at: NEVER, fileSystem: 'strict' } as const
  const kept = survivors(ops, cut, { luck: 'all', random: seededRandom(0) })
  const differ = differences(diskOf(ops, kept), await readDisk(store))
  if (differ.length > 0) throw new Error(`what the journal says of ${store} is not what is there: ${differ.join(', ')}`)
}
