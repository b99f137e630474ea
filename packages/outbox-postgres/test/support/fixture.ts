import { defineService, type Mesh } from '@malha/mesh'
import { type TestCluster, testMesh, type TestMesh, type TestMeshOptions, type TestServer } from '@malha/testing'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import type pg from 'pg'
import { migrateOutbox, outbox } from '../../src/index.ts'
import { orders, placed, viewed, type Order } from './contracts.ts'
import type { PostgresServer, TestDatabase } from './postgres-server.ts'

type Broker = TestMesh<TestServer | TestCluster>

/** An outbox in a database of its own, and a mesh in a namespace of its own. */
export interface Fixture extends AsyncDisposable {
  readonly mesh: Mesh
  readonly broker: Broker
  readonly db: TestDatabase
  /** Runs `work` between BEGIN and COMMIT, or ROLLBACK when it throws. */
  transaction<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T>
  /** Adds events with the ids `<prefix><n>`, `perTransaction` in each; keys by turns out of `keys`. */
  addOrders(count: number, options?: AddOptions): Promise<void>
  /** What the stream holds, oldest first. */
  stored(): Promise<Stored[]>
  /** Rows that are not published. */
  waiting(): Promise<number>
}

export type AddOptions = { prefix?: string; keys?: number; from?: number; perTransaction?: number }
export type Stored = { id: string; key: string | undefined; n: number; seq: number; headers: Record<string, string> }

/** On a broker of its own, or one to share with other tests of the file. */
export async function fixture(
  postgres: PostgresServer,
  options: TestMeshOptions & { server?: TestServer } = {},
): Promise<Fixture> {
  await using opening = new AsyncDisposableStack()
  const broker = opening.use(await testMesh(options))
  const made = opening.use(await fixtureOn(postgres, broker))
  const all = opening.move()
  return { ...made, [Symbol.asyncDispose]: async () => await all.disposeAsync() }
}

export async function fixtureOn(postgres: PostgresServer, broker: Broker): Promise<Fixture> {
  await using opening = new AsyncDisposableStack()
  const db = opening.use(await postgres.database())
  await migrateOutbox(db.pool)
  await broker.mesh.provision(defineService('shop', { handlers: {}, publishes: [placed, viewed] }))
  const all = opening.move()

  const transaction = async <T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> => {
    const client = await db.pool.connect()
    let failure: Error | undefined
    try {
      await client.query('BEGIN')
      const result = await work(client)
      await client.query('COMMIT')
      return result
    } catch (error) {
      failure = await client.query('ROLLBACK').then(
        () => undefined,
        (reason: Error) => reason,
      )
      throw error
    } finally {
      client.release(failure)
    }
  }
  return {
    mesh: broker.mesh,
    broker,
    db,
    transaction,
    async addOrders(count, { prefix = 'p', keys = count, from = 0, perTransaction = 50 } = {}) {
      for (let first = from; first < from + count; first += perTransaction)
        await transaction(async (client) => {
          for (let n = first; n < Math.min(first + perTransaction, from + count); n += 1)
            await outbox.add(client, placed, { orderId: `o${n % keys}`, n }, { id: `${prefix}${n}` })
        })
    },
    stored: async () => await readStream(broker),
    async waiting() {
      const [row] = await db.sql<{ count: number }>(
        'SELECT count(*)::int AS count FROM malha.outbox WHERE published_at IS NULL AND dead_at IS NULL',
      )
      return row?.count ?? 0
    },
    [Symbol.asyncDispose]: async () => await all.disposeAsync(),
  }
}

/** By one pull with an end, headers and payload. */
async function readStream({ nats, namespace }: Broker): Promise<Stored[]> {
  const name = `${namespace}_${orders.name}`
  const { state } = await (await jetstreamManager(nats)).streams.info(name)
  if (state.messages === 0) return []
  const consumer = await jetstream(nats).consumers.get(name)
  const found: Stored[] = []
  for await (const message of await consumer.fetch({ max_messages: state.messages, expires: 5_000 })) {
    const headers = Object.fromEntries([...(message.headers ?? [])].map(([key, [value = '']]) => [key, value]))
    const { n } = message.json<Order>()
    found.push({ id: headers['ce-id'] ?? '', key: headers['ce-partitionkey'], n, seq: message.seq, headers })
    if (found.length === state.messages) break
  }
  return found
}

/** Ids that came more than once. */
export function doubles(stored: readonly Stored[]): string[] {
  const seen = new Set<string>()
  return stored.filter(({ id }) => seen.size === seen.add(id).size).map(({ id }) => id)
}

/** Ids that came before one of the same key that was added earlier. */
export function inversions(stored: readonly Stored[]): string[] {
  const last = new Map<string, number>()
  return stored
    .filter(({ key = '', n }) => {
      const isBefore = n < (last.get(key) ?? -1)
      last.set(key, Math.max(n, last.get(key) ?? -1))
      return isBefore
    })
    .map(({ id }) => id)
}
