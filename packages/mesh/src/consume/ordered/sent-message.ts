import type { MessagePlace } from '../../topology/names.ts'
import type { Burial } from '../delivery.ts'
import type { HeldKey, KeptRetry } from './partition-record.ts'

/** A message that a run sent to an ordered handler, as its subject on the lane names it. */
export type SentMessage = {
  /** As the server sees it. */
  readonly subject: string
  readonly run: string
  /** Of the event that it is, or was made of. */
  readonly place: MessagePlace
  /** It was there before this instance had the partition: whoever had it may have begun it. */
  readonly isOld: boolean
  /** How often its process ended while it was begun, as far as that was noted. */
  crashes: number
  /** It waits for another attempt. */
  retry: KeptRetry | undefined
  /** It is dead, but its letter is not stored yet. */
  burial: Burial | undefined
}

type Named = Pick<SentMessage, 'run' | 'place'>

/** Below 0 where the first of two messages of a key has its turn before the other: runs as they began, in each the order of the stream. */
export const inOrder = (a: Named, b: Named): number =>
  a.run === b.run ? a.place.epoch - b.place.epoch || a.place.seq - b.place.seq : a.run < b.run ? -1 : 1

/** Whether it is of an event behind one that is dead: of streams that were made anew each begins behind the one before. */
export const isLater = ({ place: { epoch, seq } }: Named, dead: HeldKey['behind']): boolean =>
  epoch > dead.epoch || (epoch === dead.epoch && seq > dead.seq)
