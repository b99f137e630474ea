import { expect, test, vi } from 'vitest'
import { Membership } from '../../../src/consume/ordered/membership.ts'
import type { PartitionStore } from '../../../src/consume/ordered/partition-store.ts'

type Key = {
  store: PartitionStore
  expire: () => void
  /** What is stored is not answered: it is sent again and finds itself there, or it times out. */
  loseAnswers: (lose: boolean | 'time out') => void
}

/** The server's side of one key: compare-and-set, and what a time to live does when it ends. */
function key(): Key {
  let sequence = 0
  let kept: { revision: number; said: string } | undefined
  let losesAnswers: boolean | 'time out' = false
  const store = {
    async announce(_: string, { revision }: { revision: number }) {
      await Promise.resolve()
      if ((kept?.revision ?? 0) !== revision) return undefined
      sequence += 1
      kept = { revision: sequence, said: String(revision) }
      if (losesAnswers === 'time out') throw new Error('no answer')
      return losesAnswers ? undefined : sequence
    },
    announced: async () => Promise.resolve(kept),
    withdraw: async () => Promise.resolve(),
  }
  return {
    store: store as unknown as PartitionStore,
    expire: () => (kept = undefined),
    loseAnswers: (lose) => (losesAnswers = lose),
  }
}

function member(store: PartitionStore): { membership: Membership; lost: () => number } {
  let lost = 0
  const connection = { isUp: () => true, listen: () => () => false }
  const membership = new Membership({
    store,
    connection,
    instance: 'a',
    leaseMs: 10_000,
    onLost: () => (lost += 1),
    onHolds: () => undefined,
  })
  return { membership, lost: () => lost }
}

test('renewals without a gap keep the lease', async () => {
  const { store } = key()
  const { membership, lost } = member(store)
  expect(membership.holds).toBe(false)
  for (let count = 0; count < 5; count += 1) await membership.renew()
  expect([membership.holds, lost()]).toEqual([true, 0])
})

test('a key that was gone in between is a lost lease, though the next renewal is stored', async () => {
  const { store, expire } = key()
  const { membership, lost } = member(store)
  await membership.renew()
  expire()
  await membership.renew()
  expect([membership.holds, lost(), membership.losses]).toEqual([true, 1, 1])
})

test('an answer that was lost is no lost lease: the key is its own', async () => {
  const { store, loseAnswers } = key()
  const { membership, lost } = member(store)
  await membership.renew()
  loseAnswers(true)
  await membership.renew()
  loseAnswers(false)
  await membership.renew()
  expect([membership.holds, lost()]).toEqual([true, 0])
})

test('a renewal that timed out but was stored lengthens the lease from when it was sent, not from when that was found out', async () => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'] })
  try {
    const { store, loseAnswers } = key()
    const { membership, lost } = member(store)
    await membership.renew()
    vi.advanceTimersByTime(1_000)
    loseAnswers('time out')
    await expect(membership.renew()).rejects.toThrow('no answer')
    vi.advanceTimersByTime(5_000)
    loseAnswers(false)
    await membership.renew()
    // The server lets the key go 10 s after it was stored, which was 5 s ago.
    vi.advanceTimersByTime(2_500)
    expect(membership.holds).toBe(true)
    vi.advanceTimersByTime(1_000)
    expect(membership.holds).toBe(false)
    await membership.renew()
    expect([membership.holds, lost()]).toEqual([true, 0])
  } finally {
    vi.useRealTimers()
  }
})

test('two renewals at once are one', async () => {
  const { store } = key()
  const { membership, lost } = member(store)
  await Promise.all([membership.renew(), membership.renew(), membership.renew()])
  await membership.renew()
  expect([membership.holds, lost()]).toEqual([true, 0])
})
