import { expect, test } from 'vitest'
import { eventually, testMesh } from '@malha/testing'
import { relayOutbox } from '../src/index.ts'
test('a pool that gives no connection is waited for, and does not hold up stop', async () => {
  await using t = await testMesh()
  let asked = 0
  const pool = {
    connect: () => {
      asked += 1
      return new Promise<never>(() => undefined)
    },
  }
  const relay = relayOutbox(t.mesh, pool, { sessionMs: 1_000, pollMs: 100 })
  await eventually(() => expect(relay.health().reasons.join()).toMatch(/gave no connection within 500 ms/))
  await eventually(() => expect(asked).toBeGreaterThan(1))
  await relay.stop()
})
