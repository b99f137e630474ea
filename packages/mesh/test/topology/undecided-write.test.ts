import { JetStreamApiError } from '@nats-io/jetstream'
import type { KV } from '@nats-io/kv'
import { expect, test } from 'vitest'
import { writeCheckpoint } from '../../src/topology/checkpoint.ts'

test('a checkpoint waits for a write of its key that three servers have not decided yet', async () => {
  const undecided = new JetStreamApiError({ code: 400, err_code: 10_164, description: 'wrong last sequence' })
  let tries = 0
  const bucket = {
    get: () => Promise.resolve(null),
    create: () => (++tries < 3 ? Promise.reject(undecided) : Promise.resolve(1)),
  } as unknown as KV
  const next = { v: 1, stream: 'S', epoch: 1, floor: 0, settled: 0 } as const
  expect(await writeCheckpoint(bucket, 'worker_work', next)).toBe(true)
  expect(tries).toBe(3)
})
