import { getEventListeners } from 'node:events'
import { jetstreamManager } from '@nats-io/jetstream'
import { afterEach, expect, test, vi } from 'vitest'
import { type TestMesh, testMesh } from '@malha/testing'
import { BatchSource } from '../src/receive/batch-source.ts'

afterEach(() => void vi.useRealTimers())

const LIMITS = { rows: 1000, bytes: 1024 ** 2 }

async function sourceOf(t: TestMesh, times: { flushMs: number; paceMs: number }) {
  const jsm = await jetstreamManager(t.nats)
  const stream = `${t.namespace}_DRIPS`
  await jsm.streams.add({ name: stream, subjects: [`${t.namespace}.drip`] })
  const target = { stream, epoch: 1 }
  const source = await BatchSource.open(t.nats, jsm, { target, fromSeq: 1, limits: LIMITS, times })
  const drip = async (): Promise<void> => void (await t.nats.request(`${t.namespace}.drip`, ''))
  return { source, drip, [Symbol.dispose]: () => source.close() }
}

test('waits for batches leave nothing behind on the signal of a lease that is kept for weeks', async () => {
  await using t = await testMesh()
  using s = await sourceOf(t, { flushMs: 20, paceMs: 20 })
  const kept = new AbortController().signal
  for (let nth = 0; nth < 30; nth++) {
    s.source.inserted()
    await s.drip()
    expect((await s.source.next(kept))?.rows).toHaveLength(1)
  }
  expect(getEventListeners(kept, 'abort').length).toBeLessThanOrEqual(1)
})

test('a clock that goes back three hours holds no batch up', async () => {
  await using t = await testMesh()
  using s = await sourceOf(t, { flushMs: 300, paceMs: 300 })
  s.source.inserted()
  await s.drip()
  vi.useFakeTimers({ toFake: ['Date'] })
  vi.setSystemTime(Date.now() - 3 * 3_600_000)
  await s.drip()
  const batch = await s.source.next(AbortSignal.timeout(20_000))
  expect(batch?.rows.length).toBeGreaterThanOrEqual(1)
})
