import type { AnyContract, Contract } from '../message/contract.ts'
import { newEnvelope } from '../message/envelope.ts'
import { newId } from '../message/id.ts'
import { subjectOf } from '../message/key.ts'
import { encodeEvent } from '../publish/encode.ts'
import type { Names } from '../topology/names.ts'
import type { Delays } from './delays.ts'
import type { Delayed, DelayedOptions } from './listing.ts'
import { readRecurrence, type ScheduleOptions } from './recurrence.ts'
import type { Scheduled } from './recurring.ts'

/** What a mesh can do about events that come later. */
export interface DelayApi {
  /**
   * Takes back what was published for later under a `delayKey`. `true`: it will not come. `false`: nothing waits under this
   * key, or its time has come, and then it comes or came. Within a second of that time the answer may take a second.
   * @throws MeshError MESH_INVALID_KEY | MESH_NEWER_VERSION | MESH_PUBLISH_TIMEOUT | MESH_PUBLISH_REFUSED | MESH_CLOSED
   */
  cancelDelayed(contract: AnyContract, delayKey: string): Promise<boolean>
  /**
   * Makes an event come again and again, each time as an event of its own, or changes the one of that name. Calling it
   * again with the same changes nothing, so a service may do so at every start.
   * @throws MeshError MESH_INVALID_DELAY | MESH_INVALID_PAYLOAD | MESH_INVALID_KEY | MESH_PAYLOAD_TOO_LARGE | MESH_NO_STREAM |
   * MESH_PUBLISH_TIMEOUT | MESH_PUBLISH_REFUSED | MESH_CLOSED
   */
  schedule<In, Out>(contract: Contract<In, Out>, data: In, options: ScheduleOptions): Promise<Scheduled>
  /**
   * Ends a recurring event. `false` when there was none of that name. One whose time has come already may still come.
   * @throws MeshError MESH_INVALID_KEY | MESH_PUBLISH_TIMEOUT | MESH_PUBLISH_REFUSED | MESH_CLOSED
   */
  unschedule(contract: AnyContract, name: string): Promise<boolean>
  /** What waits, of one contract or of all: for people and tools. */
  delayed(contract?: AnyContract, options?: DelayedOptions): Promise<Delayed[]>
}

const SCHEDULE_MS = 30_000

export function delayApi(delays: Delays, { names, from }: { names: Names; from: string }): DelayApi {
  return {
    cancelDelayed: (contract, key) => delays.takeBack(contract.type, '_key', key),
    unschedule: (contract, name) => delays.takeBack(contract.type, '_name', name),
    delayed: (contract, options = {}) => delays.list(contract?.type, options),
    async schedule(contract, data, options) {
      const recurrence = readRecurrence(contract.type, options)
      const { payload, key } = await encodeEvent(contract, data)
      const about = { id: newId(), from, key, correlationId: undefined, causationId: undefined }
      const out = {
        envelope: newEnvelope(contract, about),
        subject: names.subject(subjectOf(contract, key)),
        stream: names.stream(contract.stream),
        payload,
        once: false,
        timeoutMs: SCHEDULE_MS,
        headers: [],
      }
      return await delays.storeRecurring(out, recurrence)
    },
  }
}
