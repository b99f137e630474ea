import { expect, test } from 'vitest'
import { Membership } from '../../../src/consume/ordered/membership.ts'
import type { PartitionStore } from '../../../src/consume/ordered/partition-store.ts'

/** The server's side of one key: compare-and-set, and what a time to live does when it ends. */
function key(): { store: PartitionStore; expire: () => void; loseAnswers: (lose: boolean) => void } {
  let sequence = 0
  let kept: { revision: number; said: string } | undefined
  let losesAnswers = false
  const store = {
    async announce(_: string, { revision }: { revision: number }) {
      await Promise.resolve()
      if ((kept?.revision ?? 0) !== revision) return undefined
      sequence += 1
      kept = { revision: sequence, said: String(revision) }
      // Sent again after its answer was lost, it finds itself there.
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

test('two renewals at once are one', async () => {
  const { store } = key()
  const { membership, lost } = member(store)
  await Promise.all([membership.renew(), membership.renew(), membership.renew()])
  await membership.renew()
  expect([membership.holds, lost()]).toEqual([true, 0])
})
