import { setTimeout as sleep } from 'node:timers/promises'
import { JetStreamApiError } from '@nats-io/jetstream'
import type { KV } from '@nats-io/kv'
import { applyToStatus, type StatusChange } from './apply.ts'
import type { CenterStatus } from './status.ts'

/** The read model: one entry by centre. Written by compare-and-set, so that any number of instances can. */
export interface StatusStore {
  get(centerId: string): Promise<CenterStatus | undefined>
  /** Resolves with the entry that holds the change; writes nothing when it did before. */
  apply(change: StatusChange): Promise<CenterStatus>
  /** Writes what `next` makes of the entry, again from the start when another writer was faster. */
  update(centerId: string, next: (current: CenterStatus | undefined) => CenterStatus): Promise<CenterStatus>
}

const TRIES = 20

export function statusStore(kv: KV): StatusStore {
  const store: StatusStore = {
    get: async (centerId) => (await read(kv, centerId))?.status,
    async apply(change) {
      // Mostly the first that is known of its centre: a look beforehand would cost as much as the write.
      if (change.kind === 'registered') {
        const status = applyToStatus(undefined, change)
        if (await write(kv, status, undefined)) return status
      }
      return await store.update(change.centerId, (current) => applyToStatus(current, change))
    },
    async update(centerId, next) {
      for (let attempt = 1; ; attempt++) {
        const current = await read(kv, centerId)
        const status = next(current?.status)
        if (status === current?.status) return status
        if (await write(kv, status, current?.revision)) return status
        if (attempt === TRIES)
          throw new Error(`the status of ${centerId} was written by others ${TRIES} times; try again`)
        // A replica that answers the read may be behind the leader that refused the write.
        await sleep(Math.random() * 10 * attempt)
      }
    },
  }
  return store
}

async function read(kv: KV, centerId: string): Promise<{ status: CenterStatus; revision: number } | undefined> {
  const entry = await kv.get(centerId)
  if (entry === null || entry.operation !== 'PUT') return undefined
  const status = entry.json<CenterStatus>()
  if (status.v !== 1)
    throw new Error(
      `the status of ${centerId} has format ${String(status.v)}, this release knows 1; run the newer release`,
    )
  return { status, revision: entry.revision }
}

/** False when another writer was faster. */
async function write(kv: KV, status: CenterStatus, revision: number | undefined): Promise<boolean> {
  const bytes = JSON.stringify(status)
  try {
    await (revision === undefined ? kv.create(status.centerId, bytes) : kv.update(status.centerId, bytes, revision))
    return true
  } catch (error) {
    if (isConflict(error)) return false
    throw error
  }
}

/** JetStream's 10071: the entry is not at the revision that was read. */
export function isConflict(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === 10071
}
