import { setTimeout as sleep } from 'node:timers/promises'
import { JetStreamApiError } from '@nats-io/jetstream'
import type { KV } from '@nats-io/kv'
import { TimeoutError } from '@nats-io/transport-node'
import { applyToStatus, type StatusChange } from './apply.ts'
import type { CenterStatus } from './status.ts'

/** The read model: one entry by centre. Written by compare-and-set, so that any number of instances can. */
export interface StatusStore {
  get(centerId: string): Promise<CenterStatus | undefined>
  /**
   * Resolves with what the entry was with the change; writes nothing when it held it before. Changes of a centre that come
   * while one of it is written are written together.
   */
  apply(change: StatusChange): Promise<CenterStatus>
  /** Writes what `next` makes of the entry, again from the start when another writer was faster. */
  update(centerId: string, next: Next): Promise<CenterStatus>
}

type Next = (current: CenterStatus | undefined) => CenterStatus
/** An entry as it stands; without a revision there is none. */
type Entry = { readonly status: CenterStatus | undefined; readonly revision: number | undefined }
type Waiting = Omit<PromiseWithResolvers<CenterStatus>, 'promise'> & { readonly change: StatusChange }

const TRIES = 20
const NO_ENTRY: Entry = { status: undefined, revision: undefined }

export function statusStore(kv: KV): StatusStore {
  const waiting = new Map<string, Waiting[]>()
  return {
    get: async (centerId) => (await read(kv, centerId)).status,
    update: async (centerId, next) => (await put(kv, centerId, next)).status!,
    apply(change) {
      const { promise, ...settle } = Promise.withResolvers<CenterStatus>()
      const line = waiting.get(change.centerId)
      if (line) line.push({ change, ...settle })
      else {
        waiting.set(change.centerId, [{ change, ...settle }])
        void writeAll(kv, change.centerId, waiting)
      }
      return promise
    },
  }
}

/** Writes what waits of a centre, and what comes meanwhile. Never throws. */
async function writeAll(kv: KV, centerId: string, waiting: Map<string, Waiting[]>): Promise<void> {
  const line = waiting.get(centerId)!
  // Mostly a registration is the first that is known of its centre: a look beforehand would cost as much as the write.
  let known = line[0]?.change.kind === 'registered' ? NO_ENTRY : undefined
  while (line.length > 0) {
    const group = line.splice(0)
    try {
      let steps: CenterStatus[] = []
      const next: Next = (current) => (steps = stepsOf(current, group)).at(-1)!
      known = await put(kv, centerId, next, known)
      for (const [index, { resolve }] of group.entries()) resolve(steps[index]!)
    } catch (error) {
      known = undefined
      for (const { reject } of group) reject(error)
    }
  }
  waiting.delete(centerId)
}

/** The status after each change: only the last that a centre waited for may find it complete. */
function stepsOf(current: CenterStatus | undefined, group: readonly Waiting[]): CenterStatus[] {
  let status = current
  return group.map(({ change }) => (status = applyToStatus(status, change)))
}

/** @param known what it is thought to be; it is read where it is another */
async function put(kv: KV, centerId: string, next: Next, known?: Entry): Promise<Entry> {
  let current = known ?? (await read(kv, centerId))
  for (let attempt = 1; ; attempt++) {
    const status = next(current.status)
    if (status === current.status) return current
    const revision = await write(kv, status, current.revision)
    if (revision !== undefined) return { status, revision }
    if (attempt === TRIES) throw new Error(`the status of ${centerId} was written by others ${TRIES} times; try again`)
    // Of those who were refused at the same time one comes first.
    await sleep(Math.random() * 10 * (attempt - 1))
    current = await read(kv, centerId)
  }
}

async function read(kv: KV, centerId: string): Promise<Entry> {
  const entry = await kv.get(centerId)
  if (entry === null || entry.operation !== 'PUT') return NO_ENTRY
  const status = entry.json<CenterStatus>()
  if (status.v !== 1)
    throw new Error(
      `the status of ${centerId} has format ${String(status.v)}, this release knows 1; run the newer release`,
    )
  return { status, revision: entry.revision }
}

/** Its revision; undefined when another writer was faster, or when nobody knows, as after a lost answer. */
async function write(kv: KV, status: CenterStatus, revision: number | undefined): Promise<number | undefined> {
  const bytes = JSON.stringify(status)
  try {
    return await (revision === undefined
      ? kv.create(status.centerId, bytes)
      : kv.update(status.centerId, bytes, revision))
  } catch (error) {
    if (isConflict(error) || error instanceof TimeoutError) return undefined
    throw error
  }
}

/** JetStream's 10071: the entry is not at the revision that was read. */
export function isConflict(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === 10071
}
