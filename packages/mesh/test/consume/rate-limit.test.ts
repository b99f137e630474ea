import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Gate } from '../../src/consume/gate.ts'
import { creditsFor, limitFaults, TokenBucket } from '../../src/consume/rate-limit.ts'

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }))
afterEach(() => vi.useRealTimers())

test('a bucket gives its burst at once, then one at a time, and says how long the next takes', () => {
  const bucket = new TokenBucket({ perSecond: 10, burst: 3 })
  expect([bucket.take(), bucket.take(), bucket.take()]).toEqual([0, 0, 0])
  expect(bucket.take()).toBeCloseTo(100)
  vi.advanceTimersByTime(99)
  expect(bucket.take()).toBeCloseTo(1)
  vi.advanceTimersByTime(1)
  expect(bucket.take()).toBe(0)
})

test('a bucket that nobody drew from holds its burst and no more', () => {
  const bucket = new TokenBucket({ perSecond: 100, burst: 2 })
  vi.advanceTimersByTime(60_000)
  expect([bucket.take(), bucket.take()]).toEqual([0, 0])
  expect(bucket.take()).toBeGreaterThan(0)
})

test('a rate below one a second waits between messages', () => {
  const bucket = new TokenBucket({ perSecond: 0.1 })
  expect(bucket.take()).toBe(0)
  expect(bucket.take()).toBeCloseTo(10_000)
})

test('a gate calls again when the next message may start, once, and not after it was stopped', async () => {
  const onGo = vi.fn<() => void>()
  const ignore = (): void => undefined
  const port = { onLimit: ignore, onTryOne: ignore, onFetchOne: ignore, onRecovered: ignore, onState: ignore }
  const gate = new Gate({ ...port, onGo })
  gate.limitRate({ perSecond: 10, burst: 1 })
  expect([gate.mayStart(), gate.mayStart(), gate.mayStart()]).toEqual([true, false, false])
  await vi.advanceTimersByTimeAsync(101)
  expect(onGo).toHaveBeenCalledOnce()
  expect(gate.mayStart()).toBe(true)
  expect(gate.mayStart()).toBe(false)
  gate.limitRate(undefined)
  expect(gate.mayStart()).toBe(true)
  gate.limitRate({ perSecond: 10, burst: 1 })
  expect([gate.mayStart(), gate.mayStart()]).toEqual([true, false])
  gate.stop()
  await vi.advanceTimersByTimeAsync(1000)
  expect(onGo).toHaveBeenCalledOnce()
})

test('a gate that was stopped begins no pause, and one that waits for weeks does not call at once', async () => {
  const onGo = vi.fn<() => void>()
  const ignore = (): void => undefined
  const port = { onLimit: ignore, onTryOne: ignore, onFetchOne: ignore, onRecovered: ignore, onState: ignore }
  const gate = new Gate({ ...port, onGo })
  gate.limitRate({ perSecond: 1e-9, burst: 1 })
  expect([gate.mayStart(), gate.mayStart()]).toEqual([true, false])
  await vi.advanceTimersByTimeAsync(1000)
  expect(onGo).not.toHaveBeenCalled()
  gate.stop()
  gate.delay(60_000)
  expect(vi.getTimerCount()).toBe(0)
})

test('no more is taken in hand than starts within two seconds', () => {
  expect(creditsFor(16, undefined)).toBe(32)
  expect(creditsFor(16, { perSecond: 1000 })).toBe(32)
  expect(creditsFor(16, { perSecond: 5 })).toBe(10)
  expect(creditsFor(16, { perSecond: 0.01 })).toBe(1)
  expect(creditsFor(16, { perSecond: 5 }, 3)).toBe(4)
})

test('limits out of bounds are told all at once', () => {
  expect(limitFaults({ concurrency: 0, rateLimit: { perSecond: 0, burst: 0.5 } })).toHaveLength(3)
  expect(limitFaults({ concurrency: Number.NaN, rateLimit: { perSecond: Number.NaN } })).toHaveLength(2)
  expect(limitFaults({ concurrency: undefined, rateLimit: undefined })).toEqual([])
})
