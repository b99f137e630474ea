import type { NatsConnection } from '@nats-io/transport-node'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { RunOut } from '../../src/consume/run-out.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const inCluster = (): RunOut => new RunOut({ info: { cluster: 'malha' } } as NatsConnection, 15_000)

test('a short request is waited for, though no message came for a second meanwhile', async () => {
  const runOut = inCluster()
  runOut.onMessage(performance.now())
  expect(runOut.ask(8, 15_000)).toEqual({ batch: 8, expiresMs: 1000 })
  runOut.onAsk(1000)
  await vi.advanceTimersByTimeAsync(900)
  let isOut = false
  let hasEnded = false
  const over = runOut.until(performance.now(), () => isOut).then(() => (hasEnded = true))
  await vi.advanceTimersByTimeAsync(200)
  runOut.look()
  await vi.advanceTimersByTimeAsync(0)
  expect([runOut.isShort, hasEnded]).toEqual([true, false])
  isOut = true
  runOut.look()
  expect(await over).toBe(true)
})

test('a long request is not, nor a short one for ever', async () => {
  const long = inCluster()
  expect(long.ask(8, 15_000)).toEqual({ batch: 1, expiresMs: 15_000 })
  long.onAsk(15_000)
  const short = inCluster()
  short.onMessage(performance.now())
  short.onAsk(1000)
  const ended: string[] = []
  void long.until(performance.now(), () => false).then(() => ended.push('long'))
  void short.until(performance.now(), () => false).then(() => ended.push('short'))
  await vi.advanceTimersByTimeAsync(1)
  expect(ended).toEqual(['long'])
  await vi.advanceTimersByTimeAsync(3000)
  expect(ended).toEqual(['long', 'short'])
})
