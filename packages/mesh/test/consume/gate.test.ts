import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Gate, type GatePort } from '../../src/consume/gate.ts'

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] }))
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

test('while it is paused nothing starts and nothing is asked for, whatever else ends meanwhile', async () => {
  const [onGo, onLimit] = [vi.fn<() => void>(), vi.fn<(limit: number | undefined) => void>()]
  const gate = new Gate({ ...port(onGo), onLimit })
  gate.delay(1000)
  gate.setPaused(true)
  gate.setPaused(true)
  expect(onLimit.mock.calls).toEqual([[0]])
  await vi.advanceTimersByTimeAsync(2000)
  expect([gate.mayStart(), gate.mayPull]).toEqual([false, false])
  gate.delay(1000)
  gate.setPaused(false)
  expect(onLimit.mock.calls).toEqual([[0], [undefined]])
  expect([gate.mayStart(), gate.mayPull]).toEqual([false, true])
  await vi.advanceTimersByTimeAsync(1001)
  expect(gate.mayStart()).toBe(true)
})

test('a breaker that is open stays so over a pause, and its probe comes when the pause is over', async () => {
  const [onTryOne, onLimit] = [vi.fn<() => void>(), vi.fn<(limit: number | undefined) => void>()]
  const gate = new Gate({ ...port(ignore), onTryOne, onLimit })
  const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
  const fail = async (): Promise<void> => {
    await Promise.resolve(gate.guard<void, void>(() => Promise.reject(refused), undefined)).catch(ignore)
  }
  for (let call = 0; call < 10; call++) await fail()
  expect(gate.reading()).toMatchObject({ state: 'open', openSince: expect.any(Number) as number })
  gate.setPaused(true)
  await vi.advanceTimersByTimeAsync(10_000)
  expect(onTryOne).not.toHaveBeenCalled()
  expect(gate.mayStart()).toBe(false)
  gate.setPaused(false)
  expect(onLimit.mock.lastCall).toEqual([0])
  await vi.advanceTimersByTimeAsync(1001)
  expect(onTryOne).toHaveBeenCalledOnce()
  expect(gate.mayStart()).toBe(true)
})

test('a breaker that closes while the handler is paused lets nothing be asked for', async () => {
  const onLimit = vi.fn<(limit: number | undefined) => void>()
  const gate = new Gate({ ...port(ignore), onLimit })
  const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
  const call = async (result: () => Promise<void>): Promise<void> => {
    await Promise.resolve(gate.guard<void, void>(result, undefined)).catch(ignore)
  }
  for (let n = 0; n < 10; n++) await call(() => Promise.reject(refused))
  // The breaker itself goes by the wall clock.
  vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 1100)
  await vi.advanceTimersByTimeAsync(1100)
  expect(gate.mayStart()).toBe(true)
  const probe = Promise.withResolvers<void>()
  const probing = call(() => probe.promise)
  gate.setPaused(true)
  probe.resolve()
  await probing
  expect(gate.isFlowing).toBe(true)
  expect(onLimit.mock.calls.at(-1)).toEqual([0])
  gate.setPaused(false)
  expect(onLimit.mock.calls.at(-1)).toEqual([undefined])
})

test('every other probe is by a message that was not tried before, if one comes within a second', async () => {
  const asked: string[] = []
  const gate = new Gate({
    ...port(ignore),
    onTryOne: () => void asked.push('any'),
    onTryUntried: () => void asked.push('untried'),
  })
  const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
  const fail = async (): Promise<void> => {
    await Promise.resolve(gate.guard<void, void>(() => Promise.reject(refused), undefined)).catch(ignore)
  }
  for (let n = 0; n < 10; n++) await fail()
  await vi.advanceTimersByTimeAsync(1100)
  expect(asked).toEqual(['any'])
  expect([gate.mayTryUntried(), gate.mayStart()]).toEqual([false, true])
  await fail()
  await vi.advanceTimersByTimeAsync(2100)
  expect(asked).toEqual(['any', 'untried'])
  expect([gate.wantsUntried, gate.mayStart(), gate.mayTryUntried()]).toEqual([true, false, true])
  await fail()
  await vi.advanceTimersByTimeAsync(4100)
  expect(gate.mayStart()).toBe(true)
  await fail()
  await vi.advanceTimersByTimeAsync(5100)
  expect(gate.wantsUntried).toBe(true)
  await vi.advanceTimersByTimeAsync(1100)
  expect(asked).toEqual(['any', 'untried', 'any', 'untried', 'any'])
  expect([gate.wantsUntried, gate.mayStart()]).toEqual([false, true])
})
