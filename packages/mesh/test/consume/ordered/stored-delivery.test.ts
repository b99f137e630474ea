import { expect, test } from 'vitest'
import { hours, minutes, retry } from '../../../src/index.ts'
import { storedDelivery } from '../../../src/consume/ordered/stored-delivery.ts'
import { decide } from '../../../src/failure/decide.ts'

const stored = {
  seq: 7,
  subject: 'order.moved.1.a',
  time: '2026-01-01T00:00:00.5Z',
  headers: {},
  pairs: [],
  payload: Buffer.alloc(0),
}
const claim = { partition: 1, fence: 1, lost: new AbortController().signal, isSure: true, confirm: async () => {} }
const policy = retry({ attempts: 100, minDelayMs: 1_000, maxDelayMs: 60_000, forMs: minutes(30) })

/** What becomes of a failure whose first ones were written down by an instance whose clock is wrong by so much. */
function next(wrongByMs: number, failedForMs: number): string {
  const dueAt = Date.now() + wrongByMs
  const kept = { attempts: 3, failures: 3, firstFailureAt: dueAt - failedForMs, dueAt, delayMs: 1_000 }
  const delivery = storedDelivery(stored, { stream: 'ORDERS', epoch: 1, retry: kept, claim })
  return decide(new Error('not yet'), delivery, { policy, isProbe: false }).kind
}

test('how long a message is retried is the same on instances whose clocks are an hour apart', () => {
  for (const wrongBy of [-hours(1), 0, hours(1)]) {
    expect(next(wrongBy, minutes(5))).toBe('retry')
    expect(next(wrongBy, minutes(31))).toBe('bury')
  }
})
