import { hostname } from 'node:os'
import type { LeaseBucket, SeenHolder } from '@malha/mesh'
import { ArchiveError } from '../errors.ts'
import { pause } from '../pause.ts'
import { type Lease, tryLease } from './lease.ts'

/** Who this process is, for people who look into the bucket. */
export const thisHolder: string = `${hostname()}/${process.pid}`

/**
 * Runs `work` while no other process does. `work` gets a check to make before each step.
 * @throws ArchiveError ARCHIVE_MIGRATION_LOCKED when nobody let go within `waitMs`
 */
export async function withLock<T>(
  bucket: LeaseBucket,
  { key, waitMs }: { key: string; waitMs: number },
  work: (assertHeld: () => void) => Promise<T>,
): Promise<T> {
  const lease = await waitForLock(bucket, { key, waitMs })
  try {
    return await work(lease.assertHeld)
  } finally {
    await lease.release()
  }
}

async function waitForLock(bucket: LeaseBucket, { key, waitMs }: { key: string; waitMs: number }): Promise<Lease> {
  const deadline = Date.now() + waitMs
  const seen: SeenHolder = {}
  for (;;) {
    const lease = await tryLease(bucket, { key, ttlMs: 10_000, holder: thisHolder }, seen)
    if (lease) return lease
    if (Date.now() >= deadline) {
      const entry = await bucket.kv.get(key)
      throw new ArchiveError(
        'ARCHIVE_MIGRATION_LOCKED',
        `another process has held the lock ${key} for ${waitMs} ms: ${entry?.string() ?? 'unknown'}; see why it does not end`,
      )
    }
    await pause(100)
  }
}
