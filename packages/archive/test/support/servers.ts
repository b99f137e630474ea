import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ClickHouseClient, createClient } from '@clickhouse/client'
import { type ClickHouseServer, type NatsServer, startClickHouse, startNats } from '@malha/stack'
import {
  jetstream,
  type JetStreamClient,
  jetstreamManager,
  type JetStreamManager,
  type StreamConfig,
} from '@nats-io/jetstream'
import { connect, headers, type NatsConnection } from '@nats-io/transport-node'

/** A ClickHouse a test may kill: its port and its data stay. */
export interface TestClickHouse extends AsyncDisposable {
  readonly url: string
  /** SIGKILL; settles when it is gone. */
  kill(): Promise<void>
  start(): Promise<void>
  /** SIGKILL, and its disk is gone. */
  lose(): Promise<void>
  /** Rows of a query. */
  sql<Row = Record<string, unknown>>(query: string): Promise<Row[]>
  /** A statement without a result. */
  run(statement: string): Promise<void>
}

export interface TestServers extends AsyncDisposable {
  readonly natsUrl: string
  readonly nats: NatsConnection
  readonly jsm: JetStreamManager
  readonly js: JetStreamClient
  readonly clickhouse: TestClickHouse
  /** SIGKILLs the broker and starts it again on its port and data. */
  restartNats(): Promise<void>
  /** A namespace no other test uses. */
  namespace(): string
  /** Makes a stream the archive takes; `name` in full. */
  stream(name: string, config?: Partial<StreamConfig>): Promise<void>
  /** Publishes `count` events in order. */
  publish(subject: string, count: number, options?: PublishOptions): Promise<void>
}

export type PublishOptions = { payload?: (n: number) => Uint8Array | string; id?: (n: number) => string }

/** One nats-server and one ClickHouse of their own, on free ports, with folders that go with them. */
export async function testServers(options: { clickhouse?: 'started' | 'later' } = {}): Promise<TestServers> {
  await using stack = new AsyncDisposableStack()
  const dataDir = await mkdtemp(join(tmpdir(), 'malha-archive-'))
  stack.defer(async () => await rm(dataDir, { recursive: true, force: true, maxRetries: 5 }))
  let broker: NatsServer = await startNats({ dataDir: join(dataDir, 'nats') })
  stack.defer(async () => await broker.stop())
  const clickhouse = stack.use(await testClickHouse(join(dataDir, 'clickhouse'), options.clickhouse ?? 'started'))
  const { url: natsUrl, port, monitorPort } = broker
  const nats = await connect({ servers: natsUrl, maxReconnectAttempts: -1, reconnectTimeWait: 50 })
  stack.defer(async () => await nats.close())
  const js = jetstream(nats)
  const jsm = await jetstreamManager(nats)
  const all = stack.move()
  return {
    natsUrl,
    nats,
    jsm,
    js,
    clickhouse,
    async restartNats() {
      broker.kill()
      await broker.exited
      broker = await startNats({ dataDir: join(dataDir, 'nats'), port, monitorPort })
    },
    namespace: () => `t${randomBytes(4).toString('hex')}`,
    async stream(name, config = {}) {
      await jsm.streams.add({ name, metadata: { 'malha.format': '1' }, ...config })
    },
    publish: async (subject, count, how) => await publishMany(js, subject, { count, ...how }),
    [Symbol.asyncDispose]: async () => await all.disposeAsync(),
  }
}

export async function testClickHouse(dataDir: string, when: 'started' | 'later' = 'started'): Promise<TestClickHouse> {
  // These tests kill the server, so it is never one that someone else runs.
  const env = { ...process.env }
  delete env['CLICKHOUSE_URL']
  let server: ClickHouseServer | undefined = await startClickHouse({ dataDir, env })
  const { url, port } = server
  const client: ClickHouseClient = createClient({ url, log: { level: 127 }, keep_alive: { enabled: false } })
  const kill = async (): Promise<void> => {
    const dying = server
    server = undefined
    dying?.kill()
    await dying?.exited
  }
  if (when === 'later') await kill()
  return {
    url,
    kill,
    async start() {
      server ??= await startClickHouse({ dataDir, port, env })
    },
    async lose() {
      await kill()
      await rm(dataDir, { recursive: true, maxRetries: 5 })
    },
    async sql<Row>(query: string) {
      const result = await client.query({ query, format: 'JSONEachRow' })
      return await result.json<Row>()
    },
    async run(query) {
      await client.command({ query })
    },
    async [Symbol.asyncDispose]() {
      await client.close()
      await kill()
    },
  }
}

async function publishMany(
  js: JetStreamClient,
  subject: string,
  { count, payload, id }: PublishOptions & { count: number },
): Promise<void> {
  const window = 500
  for (let from = 0; from < count; from += window) {
    const size = Math.min(window, count - from)
    await Promise.all(
      Array.from({ length: size }, async (_, index) => {
        const n = from + index
        const head = headers()
        head.set('ce-id', id?.(n) ?? `${subject}-${n}`)
        head.set('ce-type', subject)
        await js.publish(subject, payload?.(n) ?? JSON.stringify({ n }), { headers: head })
      }),
    )
  }
}
