import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Gate, type GatePort } from '../../src/consume/gate.ts'

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }))
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

const ignore = (): void => undefined
const port = (onGo: () => void): GatePort => ({
  onGo,
  onLimit: ignore,
  onTryOne: ignore,
  onFetchOne: ignore,
  onRecovered: ignore,
  onState: ignore,
})

test('a delay ends in its time, also when the wall clock steps back meanwhile', async () => {
  const onGo = vi.fn<() => void>()
  const gate = new Gate(port(onGo))
  gate.delay(1000)
  expect(gate.mayStart()).toBe(false)
  vi.spyOn(Date, 'now').mockReturnValue(0)
  await vi.advanceTimersByTimeAsync(1001)
  expect(onGo).toHaveBeenCalledOnce()
  expect(gate.mayStart()).toBe(true)
})

test('a shorter delay does not end a longer one', async () => {
  const gate = new Gate(port(ignore))
  gate.delay(1000)
  gate.delay(10)
  await vi.advanceTimersByTimeAsync(500)
  expect(gate.mayStart()).toBe(false)
})
