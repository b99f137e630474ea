import { eventually, testCluster, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { relayOutbox } from '../src/index.ts'
import { doubles, fixtureOn, inversions } from './support/fixture.ts'
import { postgresServer } from './support/postgres-server.ts'
import { relayProcess } from './support/relays.ts'

test('on three servers: rows go out once and in order while leaders and a relay are killed', async () => {
  await using postgres = await postgresServer()
  await using cluster = await testCluster()
  await using broker = await testMesh({ server: cluster })
  await using f = await fixtureOn(postgres, broker)
  const stream = `${broker.namespace}_ORDERS`
  const killLeader = async (): Promise<void> => await cluster.restart(await cluster.leader(broker.nats, stream))
  await using killed = relayProcess(f)
  const adding = f.addOrders(2_000, { keys: 50, perTransaction: 20 })
  const past = async (rows: number): Promise<void> =>
    await eventually(async () => expect((await f.stored()).length).toBeGreaterThan(rows), { timeoutMs: 60_000 })
  await past(200)
  await killLeader()
  await past(600)
  await killed.kill()
  await using _relay = relayOutbox(f.mesh, f.db.pool, { pollMs: 100 })
  await past(1_200)
  await killLeader()
  await adding
  await eventually(async () => expect(await f.waiting()).toBe(0), { timeoutMs: 60_000 })
  const stored = await eventually(async () => {
    const all = await f.stored()
    expect(all.length).toBeGreaterThanOrEqual(2_000)
    return all
  })
  expect(stored).toHaveLength(2_000)
  expect([doubles(stored), inversions(stored)]).toEqual([[], []])
}, 240_000)
