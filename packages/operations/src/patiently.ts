import { setTimeout as sleep } from 'node:timers/promises'
import { PermissionViolationError } from '@nats-io/nats-core'

const PAUSE_MS = 200

/**
 * Does what may fail while a cluster elects a leader, until it does not.
 * @throws what it threw last when `forMs` is over, and at once that a right is missing: no election gives that
 */
export async function patiently<Result>(forMs: number, attempt: () => Promise<Result>): Promise<Result> {
  for (const until = Date.now() + forMs; ; await sleep(PAUSE_MS)) {
    try {
      return await attempt()
    } catch (error) {
      if (error instanceof PermissionViolationError || Date.now() > until) throw error
    }
  }
}
