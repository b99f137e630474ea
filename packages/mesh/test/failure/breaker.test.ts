import { Reject } from '@malha/mesh'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type BreakerState, HandlerBreaker, NotTried } from '../../src/failure/breaker.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const refused = (): Promise<never> => Promise.reject(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }))
const broken = (): Promise<never> => Promise.reject(new Error('500'))

function underTest(): { breaker: HandlerBreaker; states: BreakerState[]; probes: number[] } {
  const states: BreakerState[] = []
  const probes: number[] = []
  const started = Date.now()
  const breaker = new HandlerBreaker({
    onState: (state) => states.push(state),
    onProbe: () => probes.push(Date.now() - started),
  })
  return { breaker, states, probes }
}

async function call(breaker: HandlerBreaker, attempt: () => unknown, times = 1): Promise<void> {
  for (let n = 0; n < times; n++) await Promise.resolve(breaker.execute(attempt, undefined)).catch(() => undefined)
}

test('ten refused connections in a row open it, nine do not', async () => {
  const { breaker } = underTest()
  await call(breaker, refused, 9)
  expect(breaker.state).toBe('closed')
  await call(breaker, refused)
  expect(breaker.state).toBe('open')
})

test('one success begins the row anew', async () => {
  const { breaker } = underTest()
  await call(breaker, refused, 9)
  await call(breaker, () => Promise.resolve())
  await call(breaker, refused, 9)
  expect(breaker.state).toBe('closed')
})

test('what ends at once counts like what takes its time', async () => {
  const { breaker } = underTest()
  const refusedAtOnce = (): never => {
    throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
  }
  await call(breaker, refusedAtOnce, 9)
  expect(breaker.execute(() => 'done', undefined)).toBe('done')
  await call(breaker, refusedAtOnce, 9)
  expect(breaker.state).toBe('closed')
  await call(breaker, refusedAtOnce)
  expect(breaker.state).toBe('open')
})

test('more than 80 % failures of at least 20 calls open it, half of them never do', async () => {
  const half = underTest().breaker
  for (let n = 0; n < 50; n++) await call(half, n % 2 ? broken : () => Promise.resolve())
  expect(half.state).toBe('closed')

  const most = underTest().breaker
  await call(most, broken, 19)
  expect(most.state).toBe('closed')
  await call(most, broken, 1)
  expect(most.state).toBe('open')
})

test('what a message brings on itself is no sign of trouble on the other side', async () => {
  const { breaker } = underTest()
  await call(breaker, () => Promise.reject(new Reject('no such city')), 100)
  expect(breaker.state).toBe('closed')
})

test('it asks for a probe after 1 s, 2 s, 4 s, then every 5 s, and a probe that was made is not asked for again', async () => {
  const { breaker, probes } = underTest()
  await call(breaker, refused, 10)
  for (let n = 0; n < 5; n++) {
    const asked = probes.length
    while (probes.length === asked) await vi.advanceTimersByTimeAsync(5)
    await call(breaker, refused)
    breaker.probeLater()
  }
  const gaps = probes.map((at, index) => Math.round((at - (probes[index - 1] ?? 0)) / 1000))
  expect(gaps).toEqual([1, 2, 4, 5, 5])
})

test('a probe that never reached the other side is asked for again a second later', async () => {
  const { breaker, probes } = underTest()
  await call(breaker, refused, 10)
  await vi.advanceTimersByTimeAsync(1010)
  breaker.probeLater()
  await vi.advanceTimersByTimeAsync(1010)
  expect(probes).toHaveLength(2)
})

test('a probe that says it was not tried does not close it', async () => {
  const { breaker, states } = underTest()
  await call(breaker, refused, 10)
  await vi.advanceTimersByTimeAsync(1010)
  await call(breaker, () => Promise.reject(new NotTried()))
  expect(states).toEqual(['open', 'half-open', 'open'])
})

test('a probe that succeeds closes it, and old failures do not open it again', async () => {
  const { breaker, states } = underTest()
  await call(breaker, refused, 10)
  await vi.advanceTimersByTimeAsync(1010)
  await call(breaker, () => Promise.resolve())
  await call(breaker, broken)
  expect(states).toEqual(['open', 'half-open', 'closed'])
})
