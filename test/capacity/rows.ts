import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@clickhouse/client'
import { archiveStreams, migrateArchive } from '@malha/archive'
import { defineService, type Mesh } from '@malha/mesh'
import { startClickHouse } from '@malha/stack'
import { eventually } from '@malha/testing'
import { orderBilled, type Published, publishOrders, tracing } from './orders.ts'
import { startServer } from './servers.ts'

const COUNT = 20_000
const SMALL = 200
const LARGE = 1200

/** What an event takes in ClickHouse, by the name of its constant. */
export async function measureRows(): Promise<Record<string, number>> {
  const plain = { keyed: false, traced: false, count: COUNT }
  const small = await rowBytesOf({ ...plain, bytes: SMALL })
  const large = await rowBytesOf({ ...plain, bytes: LARGE })
  const keyed = await rowBytesOf({ ...plain, bytes: SMALL, keyed: true })
  const traced = await rowBytesOf({ ...plain, bytes: SMALL, traced: true })
  const payloadShare = (large - small) / (LARGE - SMALL)
  return {
    rowBytes: Math.round(small - SMALL * payloadShare),
    rowKeyBytes: Math.round(keyed - small),
    rowTraceBytes: Math.round(traced - small),
    payloadShare: Number(payloadShare.toPrecision(3)),
  }
}

async function rowBytesOf(published: Published): Promise<number> {
  using _tracing = published.traced ? tracing() : undefined
  await using server = await startServer()
  await server.mesh.provision(defineService('shop', { handlers: {}, publishes: [orderBilled] }))
  await publishOrders(server.mesh, published)
  return await archivedBytes(server.mesh, published.count)
}

/** What so many events of ORDERS take once they are archived and merged, bytes each. */
export async function archivedBytes(mesh: Mesh, count: number): Promise<number> {
  await using opened = new AsyncDisposableStack()
  const dataDir = await mkdtemp(join(tmpdir(), 'malha-capacity-clickhouse-'))
  opened.defer(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }))
  // Never somebody else's server.
  const { CLICKHOUSE_URL: _, ...env } = process.env
  const { url } = opened.use(await startClickHouse({ dataDir, env }))
  const client = createClient({ url })
  opened.defer(() => client.close())
  await migrateArchive({ nats: mesh.nats, namespace: '', clickhouse: { url } })
  opened.use(archiveStreams({ nats: mesh.nats, namespace: '' }, { url }))
  const numberOf = async (query: string): Promise<number> => {
    const [row] = await (await client.query({ query, format: 'JSONEachRow' })).json<{ n: string }>()
    return Number(row?.n)
  }
  await eventually(
    async () => {
      const archived = await numberOf(`SELECT count() AS n FROM archive.events WHERE stream = 'ORDERS'`)
      if (archived < count) throw new Error(`${archived} of ${count} events are archived`)
    },
    { timeoutMs: 60_000 },
  )
  await client.command({ query: 'OPTIMIZE TABLE archive.events FINAL' })
  const bytes = await numberOf(
    `SELECT sum(bytes_on_disk) AS n FROM system.parts WHERE database = 'archive' AND table = 'events' AND active`,
  )
  return bytes / count
}
