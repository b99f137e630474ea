import type { Checkpoint, LastSetBack, Seen } from '../topology/checkpoint.ts'
import type { EnsuredConsumer } from '../topology/consumer.ts'

/** A durable as it was found or made; see EnsuredConsumer. */
export type Supervised = Pick<EnsuredConsumer, 'durable' | 'filters' | 'epoch' | 'settled'>

/** What is known of a durable from look to look. */
export type Watched = Pick<Supervised, 'durable' | 'filters'> & {
  /** All up to here is settled. */
  settled: number
  /** What the checkpoint says. */
  written: number
  isFirst: boolean
  /** Of what it delivered, and how often it was set back, as in its checkpoint. */
  seen: Seen | undefined
  setBacks: number
  lastSetBack: LastSetBack | undefined
  /** Since it was found right. */
  setBack: 'once' | 'in vain' | undefined
  /** The last sequence of its stream when its end was looked at. */
  checkedAt: number
  /** Somebody gave it a `max_deliver`, and it was not set back since. */
  isLimited: boolean
}

export const watched = ({ durable, filters, settled }: Supervised): Watched => ({
  durable,
  filters,
  settled,
  written: -1,
  isFirst: true,
  seen: undefined,
  setBacks: 0,
  lastSetBack: undefined,
  setBack: undefined,
  checkedAt: -1,
  isLimited: false,
})

export const seenOf = ({
  seen,
  setBacks = 0,
  lastSetBack,
}: Checkpoint): Pick<Watched, 'seen' | 'setBacks' | 'lastSetBack'> => ({ seen, setBacks, lastSetBack })
