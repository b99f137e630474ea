import { expect, test } from 'vitest'
import { LeaseClock } from '../../../src/consume/ordered/lease-clock.ts'

function clock(): { lease: LeaseClock; pass: (monotonic: number, wall?: number) => void } {
  let now = { monotonic: 100, wall: 1_795_271_400_000 }
  const lease = new LeaseClock(10_000, 2_000, { monotonic: () => now.monotonic, wall: () => now.wall })
  const pass = (monotonic: number, wall = monotonic): void => {
    now = { monotonic: now.monotonic + monotonic, wall: now.wall + wall }
  }
  return { lease, pass }
}

test('it holds from a renewal until a margin before the server lets it go', () => {
  const { lease, pass } = clock()
  expect(lease.holds).toBe(false)
  lease.renewed(lease.now())
  pass(7_999)
  expect(lease.holds).toBe(true)
  pass(1)
  expect(lease.holds).toBe(false)
})

test('it counts from when the renewal was sent, not from its answer', () => {
  const { lease, pass } = clock()
  const sentAt = lease.now()
  pass(5_000)
  lease.renewed(sentAt)
  pass(3_000)
  expect(lease.holds).toBe(false)
})

test('a machine that slept sees it by the wall clock, whose other clock stood still', () => {
  const { lease, pass } = clock()
  lease.renewed(lease.now())
  pass(10, 60_000)
  expect(lease.holds).toBe(false)
})

test('a wall clock set back by an hour keeps no lease alive', () => {
  const { lease, pass } = clock()
  lease.renewed(lease.now())
  pass(9_000, -3_600_000)
  expect(lease.holds).toBe(false)
})

test('a lost lease does not hold, whatever the time', () => {
  const { lease } = clock()
  lease.renewed(lease.now())
  lease.lost()
  expect(lease.holds).toBe(false)
})
