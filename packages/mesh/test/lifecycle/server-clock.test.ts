import { afterEach, expect, test, vi } from 'vitest'
import { ServerClock } from '../../src/lifecycle/server-clock.ts'
import { silentLogger } from '../../src/observe/logger.ts'

afterEach(() => vi.restoreAllMocks())

const YEAR_2040 = Date.parse('2040-01-01T00:00:00Z')
const connection = { isUp: () => true, listen: () => () => undefined }

test('the server’s clock is the reading that took least, and runs on whatever this process’s shows', async () => {
  const took = [40, 2, 90]
  let readings = 0
  const clock = new ServerClock(
    async () => {
      const gotAt = performance.now()
      const tookMs = took[readings++]!
      return Promise.resolve({ serverMs: YEAR_2040 - tookMs / 2 + readings * 1000, sentAt: gotAt - tookMs, gotAt })
    },
    { connection, log: silentLogger },
  )
  expect(clock.errorMs).toBe(Infinity)
  const now = await clock.now()
  expect(now).toBeGreaterThanOrEqual(YEAR_2040 + 2000)
  expect(now).toBeLessThan(YEAR_2040 + 12_000)
  expect(clock.errorMs).toBeCloseTo(1, 3)
  vi.spyOn(Date, 'now').mockReturnValue(0)
  expect(clock.estimate()).toBeGreaterThanOrEqual(now)
  expect(readings).toBe(3)
})

/** A clock that asks nobody. */
const told = (): ServerClock =>
  new ServerClock(() => Promise.reject(new Error('not asked')), { connection, log: silentLogger })

test('a worse reading does not replace a fresh one that it bears out', () => {
  const clock = told()
  const gotAt = performance.now()
  clock.learn({ serverMs: YEAR_2040, sentAt: gotAt - 4, gotAt })
  clock.learn({ serverMs: YEAR_2040 - 30, sentAt: gotAt - 200, gotAt })
  expect(clock.errorMs).toBeCloseTo(2, 3)
})

test('a reading that cannot be true together with the one before replaces it: the server’s clock was set', () => {
  const clock = told()
  const gotAt = performance.now()
  clock.learn({ serverMs: YEAR_2040, sentAt: gotAt - 4, gotAt })
  clock.learn({ serverMs: YEAR_2040 + 500_000, sentAt: gotAt - 200, gotAt })
  expect(clock.errorMs).toBeCloseTo(100, 3)
  expect(clock.estimate()).toBeGreaterThan(YEAR_2040 + 400_000)
})

test('the server is asked again where this machine slept, which its monotonic time does not show', async () => {
  let readings = 0
  const clock = new ServerClock(
    () => {
      readings++
      const gotAt = performance.now()
      return Promise.resolve({ serverMs: YEAR_2040, sentAt: gotAt - 2, gotAt })
    },
    { connection, log: silentLogger },
  )
  await clock.now()
  await clock.now()
  expect(readings).toBe(3)
  const wall = Date.now()
  vi.spyOn(Date, 'now').mockReturnValue(wall + 600_000)
  await clock.now()
  expect(readings).toBe(6)
  await clock.now()
  expect(readings).toBe(6)
})
