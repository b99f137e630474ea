import { defineService } from '@malha/mesh'
import { eventually, type TestMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { orders, percentile, reportDue, storedIn, timedOut } from './fixture.ts'

export type Lateness = { count: number; distinct: number; p50: number; p99: number; max: number; early: number }

const PROBE = 2000

/**
 * Has `count` events wait at once, all due within `spreadMs` from then on (`leadMs` later, or more on a slow machine), and measures by the server's clock how late
 * each was in its stream, ms.
 */
export async function lateness(
  { mesh, nats }: TestMesh,
  { count, leadMs: least, spreadMs }: { count: number; leadMs: number; spreadMs: number },
): Promise<Lateness & { createMs: number }> {
  await mesh.start(defineService('orders', { handlers: {}, publishes: [timedOut] }))
  const probedAt = Date.now()
  const probe = (index: number): Promise<unknown> =>
    mesh.publish(reportDue, { of: `${index}` }, { deliverIn: 86_400_000 })
  await Promise.all(Array.from({ length: PROBE }, (_, index) => probe(index)))
  const startedAt = Date.now()
  // Others may use this machine too, and more of it in a moment.
  const leadMs = Math.max(least, ((startedAt - probedAt) * 2 * count) / PROBE)
  const publish = (index: number): Promise<unknown> => {
    const deliverAt = new Date(startedAt + leadMs + Math.floor((index * spreadMs) / count))
    return mesh.publish(timedOut, { orderId: `o-${index}` }, { deliverAt })
  }
  for (let from = 0; from < count; from += 2000)
    await Promise.all(Array.from({ length: Math.min(2000, count - from) }, (_, index) => publish(from + index)))
  const createMs = Date.now() - startedAt
  if (createMs > leadMs) throw new Error(`it took ${createMs} ms until all waited; give them more time`)
  const jsm = await jetstreamManager(nats)
  const name = mesh.names.stream(orders)
  await eventually(async () => (await jsm.streams.info(name)).state.messages >= count, {
    timeoutMs: leadMs + spreadMs + 60_000,
    intervalMs: 500,
  })
  const stored = await storedIn(nats, name)
  const late = stored.map(({ dueMs, storedMs }) => storedMs - dueMs).sort((a, b) => a - b)
  return {
    count: stored.length,
    distinct: new Set(stored.map(({ id }) => id)).size,
    p50: Math.round(percentile(late, 50)),
    p99: Math.round(percentile(late, 99)),
    max: Math.round(late.at(-1)!),
    early: late.filter((ms) => ms < 0).length,
    createMs,
  }
}
