import { setTimeout as sleep } from 'node:timers/promises'
import { eventually, testServer } from '@malha/testing'
import type { SeenHolder } from '@malha/mesh'
import { connect } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { openLeaseBucket } from '../src/lease/lease-bucket.ts'
import { tryLease } from '../src/lease/lease.ts'

const TTL_MS = 1000
const options = { key: 'writer.JOBS', ttlMs: TTL_MS, holder: 'a' }

test('a lease that a killed broker gave back for good is taken once nobody wrote it for three terms, one that is kept never is', async () => {
  await using server = await testServer()
  const nats = await connect({ servers: server.url })
  await using _nats = { [Symbol.asyncDispose]: () => nats.close() }
  const bucket = await openLeaseBucket(nats, 't')
  // As it comes back: without an end.
  await bucket.kv.put(options.key, JSON.stringify({ format: 1, token: 'x', holder: 'gone', ttlMs: TTL_MS }))
  const seen: SeenHolder = {}
  const startedAt = performance.now()
  const lease = await eventually(async () => {
    const taken = await tryLease(bucket, options, seen)
    expect(taken).toBeDefined()
    return taken!
  })
  expect(performance.now() - startedAt).toBeGreaterThan(3 * TTL_MS)
  lease.assertHeld()

  const other: SeenHolder = {}
  for (let tries = 0; tries < 25; tries++) {
    expect(await tryLease(bucket, { ...options, holder: 'b' }, other)).toBeUndefined()
    await sleep(TTL_MS / 5)
  }
  lease.assertHeld()
  await lease.release()
  const next = await tryLease(bucket, { ...options, holder: 'b' }, other)
  next!.assertHeld()
  await next!.release()
})
