import { afterEach, expect, test, vi } from 'vitest'
import { leaveRecord, type Recorded } from '../../src/consume/after-failure.ts'
import { storedDelivery } from '../../src/consume/ordered/stored-delivery.ts'
import type { RunnerOptions } from '../../src/consume/runner-options.ts'

afterEach(() => void vi.useRealTimers())

test('a failure in the first second of a process is recorded, and no second one within a second of it', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  const stored = {
    seq: 7,
    subject: 'a.b',
    time: '2026-01-01T00:00:00.5Z',
    headers: {},
    pairs: [],
    payload: Buffer.alloc(0),
  }
  const claim = { partition: 1, fence: 1, lost: new AbortController().signal, isSure: true, confirm: async () => {} }
  const delivery = storedDelivery(stored, { stream: 'A', epoch: 1, retry: undefined, claim })
  const records: unknown[] = []
  const record = (each: unknown): Promise<void> => Promise.resolve(void records.push(each))
  const options = { def: {}, record } as unknown as RunnerOptions
  const failed = { envelope: { id: 'e-1' }, decision: { kind: 'retry' }, nextAttemptAt: '2026-01-01T00:00:01Z' }
  for (const afterMs of [10, 500, 1000]) {
    vi.advanceTimersByTime(afterMs)
    await leaveRecord(options, delivery, failed as unknown as Recorded)
  }
  expect(records).toHaveLength(2)
})
