import { afterEach, expect, test, vi } from 'vitest'
import { ServerClock } from '../../src/delay/server-clock.ts'
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
  expect(await clock.now()).toBeGreaterThanOrEqual(now)
  expect(readings).toBe(3)
})

test('a worse reading does not replace a fresh one', () => {
  const clock = new ServerClock(() => Promise.reject(new Error('not asked')), { connection, log: silentLogger })
  const gotAt = performance.now()
  clock.learn({ serverMs: YEAR_2040, sentAt: gotAt - 4, gotAt })
  clock.learn({ serverMs: YEAR_2040 + 500_000, sentAt: gotAt - 200, gotAt })
  expect(clock.errorMs).toBeCloseTo(2, 3)
  expect(clock.estimate()).toBeLessThan(YEAR_2040 + 100_000)
})
