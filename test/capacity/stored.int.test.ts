/**
 * What is computed against what real servers say. Constants were measured with events of 700 bytes (rows: of 200 and 1200);
 * here are others.
 */
import { type LoadOptions, planCapacity } from '@malha/deployment'
import { days, defineService } from '@malha/mesh'
import { expect, test } from 'vitest'
import { orderBilled, publishOrders, tracing } from './orders.ts'
import { archivedBytes } from './rows.ts'
import { startServer } from './servers.ts'
import { measureOwn } from './stored.ts'

/** Of what a server reports: nats-server stores what it is given; stacks of letters, and what compresses, are never the same twice. */
const EXACT = 0.02
const NEAR = 0.1

const computed = (what: string, load: Partial<LoadOptions>): number =>
  planCapacity({ eventsPerSecond: 1, bytes: 1024, retentionMs: days(1), ...load }).figures.find(
    (each) => each.what === what,
  )!.value

function expectWithin(tolerance: number, what: number, found: number): void {
  expect(Math.abs(what / found - 1), `${what} is computed, ${found} is so`).toBeLessThan(tolerance)
}

test('events take in their stream what is computed, within a fiftieth: small and large, with keys and traces and without', async () => {
  using _tracing = tracing()
  await using server = await startServer()
  const { mesh, jsm } = server
  await mesh.provision(defineService('shop', { handlers: {}, publishes: [orderBilled] }))
  for (const { bytes, keyed, traced } of [
    { bytes: 160, keyed: false, traced: false },
    { bytes: 160, keyed: true, traced: true },
    { bytes: 1024, keyed: true, traced: false },
    { bytes: 16_384, keyed: false, traced: true },
  ]) {
    await publishOrders(mesh, { bytes, keyed, traced, count: 200 })
    const { state } = await jsm.streams.info('ORDERS')
    expectWithin(EXACT, computed('stored', { bytes, keys: keyed ? 200 : 0, traced }), state.bytes / state.messages)
    await jsm.streams.purge('ORDERS')
  }
})

test('letters, copies that wait, markers and records of inboxes take what is computed, within a tenth', async () => {
  const found = await measureOwn(100)
  const base = { bytes: 0, eventsPerSecond: 1000, retentionMs: 1000 }
  const near = (what: string, load: Partial<LoadOptions>, bytes: number): void =>
    expectWithin(NEAR, computed(what, { ...base, ...load }), 1000 * bytes)
  near('dead letters', { deadLetterShare: 1, lettersKeptMs: 1000 }, found.letterBytes)
  near('waiting on lanes and for later', { delayShare: 1, delayMs: 1000 }, Math.max(found.laneBytes, found.delayBytes))
  near("markers of effects: 'once'", { onceHandlers: 1 }, found.markerBytes)
  near('records of inboxes', { inboxHandlers: 1, inboxKeptMs: 1000 }, found.inboxBytes)
})

test('events take in ClickHouse what is computed, within a tenth', async () => {
  using _tracing = tracing()
  const kind = { bytes: 700, keyed: true, traced: true, count: 6000 }
  await using server = await startServer()
  await server.mesh.provision(defineService('shop', { handlers: {}, publishes: [orderBilled] }))
  await publishOrders(server.mesh, kind)
  const row = computed('archived', { bytes: kind.bytes, keys: kind.count })
  expectWithin(NEAR, row, await archivedBytes(server.mesh, kind.count))
})
