import { jetstreamManager, type StoredMsg } from '@nats-io/jetstream'
import type { KV } from '@nats-io/kv'
import type { NatsConnection } from '@nats-io/transport-node'
import { isConflict } from './store.ts'

export type RegistryEntry = { readonly centerId: string; readonly place: number }

/** A stretch of the order. `until` is the last place looked at; `isEnd`: there is nothing behind it. */
export type Stretch = { readonly entries: readonly RegistryEntry[]; readonly until: number; readonly isEnd: boolean }

/** All centres in the order in which the read model took them in. An entry is written once, so the order is stable. */
export interface CenterRegistry {
  add(centerId: string): Promise<void>
  /** Where a centre stands in the order, from 1; undefined when it is not there. */
  placeOf(centerId: string): Promise<number | undefined>
  /** The next `count` places behind one. Costs a read each, however many centres come before. */
  after(place: number, count: number): Promise<Stretch>
}

export type RegistryOptions = {
  /** With the namespace. */
  readonly bucket: string
  /** How long one request may take, ms. */
  readonly timeoutMs: number
}

/** The order is that of the bucket's own stream: one message a centre, never replaced, so the places have no gaps. */
export async function centerRegistry(
  nats: NatsConnection,
  kv: KV,
  { bucket, timeoutMs }: RegistryOptions,
): Promise<CenterRegistry> {
  const jsm = await jetstreamManager(nats, { checkAPI: false, timeout: timeoutMs })
  const name = `KV_${bucket}`
  const prefix = `$KV.${bucket}.`
  const entryOf = ({ subject, seq }: StoredMsg): RegistryEntry => ({
    centerId: subject.slice(prefix.length),
    place: seq,
  })
  return {
    async add(centerId) {
      await kv.create(centerId, '').catch((error: unknown) => {
        if (!isConflict(error)) throw error
      })
    },
    async placeOf(centerId) {
      return (await kv.get(centerId))?.revision
    },
    async after(place, count) {
      const { state } = await jsm.streams.info(name)
      const until = Math.min(place + count, state.last_seq)
      const places = Array.from({ length: Math.max(0, until - place) }, (_, index) => place + index + 1)
      const stored = await Promise.all(places.map((seq) => jsm.streams.getMessage(name, { seq })))
      const entries = stored.filter((message) => message !== null).map(entryOf)
      return { entries, until, isEnd: until === state.last_seq || place >= state.last_seq }
    },
  }
}
