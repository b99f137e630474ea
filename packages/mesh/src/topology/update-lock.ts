import { setTimeout as pause } from 'node:timers/promises'
import type { KV } from '@nats-io/kv'
import { isOvertaken } from './api-errors.ts'

/** The longest a holder that died keeps others waiting. NATS takes whole seconds. */
const LEASE_S = 10
const WAIT_MS = 30_000
const POLL_MS = 100

/**
 * Runs `run` while no other process does so under the same name. NATS has no compare-and-set for a stream's
 * configuration: of two releases that read it at once, the older one could write last and undo the newer one's change.
 * @throws Error when the lock is not to be had within 30 s
 */
export async function withUpdateLock<T>(bucket: KV, name: string, run: () => Promise<T>): Promise<T> {
  const key = `lock.${name}`
  const revision = await take(bucket, key)
  try {
    return await run()
  } finally {
    // Only what this process took; whoever took it after the lease was over keeps it.
    await bucket.delete(key, { previousSeq: revision }).catch(() => undefined)
  }
}

async function take(bucket: KV, key: string): Promise<number> {
  for (const deadline = Date.now() + WAIT_MS; ; await pause(POLL_MS)) {
    try {
      return await bucket.create(key, '', `${LEASE_S}s`)
    } catch (error) {
      if (!isOvertaken(error)) throw error
    }
    if (Date.now() > deadline)
      throw new Error(`other processes keep changing it (key ${key}); start again when they are done`)
  }
}
