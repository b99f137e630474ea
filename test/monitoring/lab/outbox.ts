import { connectMesh, defineService, event, stream } from '@malha/mesh'
import { migrateOutbox, outbox, relayOutbox } from '@malha/outbox-postgres'
import { prometheusMetrics, serveHealth } from '@malha/telemetry'
import { testServer } from '@malha/testing'
import { z } from 'zod'
import { type PostgresServer, postgresServer } from '../../../packages/outbox-postgres/test/support/postgres-server.ts'
import type { Lab } from './fault.ts'

const orders = stream('OUTBOX-ORDERS', { subjects: ['outbox-order.>'] })
const placed = event('outbox-order.placed', { stream: orders, schema: z.object({ n: z.number() }) })

/** Relays on one PostgreSQL: one whose broker goes away, and one with an id that has another event. */
export async function outboxLab(url: string): Promise<Lab> {
  await using opening = new AsyncDisposableStack()
  const postgres = opening.use(await postgresServer())
  const away = opening.use(await testServer())
  const waiting = opening.use(await relaying(postgres, away.url))
  const refused = opening.use(await relaying(postgres, url))
  const rest = opening.move()
  return {
    targets: [waiting.target, refused.target],
    faults: [
      {
        alerts: ['OutboxOld'],
        async begin() {
          await away.kill()
          await waiting.add('one', 1)
        },
        end: () => away.start(),
      },
      {
        alerts: ['OutboxDead'],
        async begin() {
          await refused.add('one', 1)
          await refused.add('one', 2)
        },
        end: () => refused.sql('DELETE FROM malha.outbox WHERE dead_at IS NOT NULL'),
      },
    ],
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  }
}

interface Relaying extends AsyncDisposable {
  target: string
  add(id: string, n: number): Promise<void>
  sql(text: string): Promise<void>
}

/** An outbox in a database of its own, and its relay. */
async function relaying(postgres: PostgresServer, broker: string): Promise<Relaying> {
  await using starting = new AsyncDisposableStack()
  const metrics = prometheusMetrics({ service: 'outbox', version: '1.0.0' })
  const database = starting.use(await postgres.database())
  const { pool } = database
  await migrateOutbox(pool)
  const mesh = starting.use(await connectMesh({ servers: [broker], metrics }))
  await mesh.provision(defineService('shop', { handlers: {}, publishes: [placed] }))
  starting.use(relayOutbox(mesh, pool, { metrics, pollMs: 200, publishMs: 1000, stopMs: 1000 }))
  const health = starting.use(await serveHealth({ port: 0, metrics }))
  const all = starting.move()
  return {
    target: `127.0.0.1:${health.port}`,
    async add(id, n) {
      const client = await pool.connect()
      try {
        await client.query('BEGIN')
        await outbox.add(client, placed, { n }, { id })
        await client.query('COMMIT')
      } finally {
        client.release()
      }
    },
    sql: async (text) => void (await database.sql(text)),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}
