import { laneSource } from '../../failure/lane-headers.ts'
import type { StoredMessage } from '../../read/stored-message.ts'
import { runOf } from '../../run/run-headers.ts'
import type { Delivery } from '../delivery.ts'
import type { Claim } from './claim.ts'
import type { SentMessage } from './sent-message.ts'
import { storedDelivery } from './stored-delivery.ts'

/** A message of a run as it stands on the lane. */
export function sentDelivery(
  stored: StoredMessage,
  { message, claim }: { message: SentMessage; claim: Claim },
): Delivery {
  const onLane = storedDelivery(stored, { stream: '', epoch: 0, retry: message.retry, claim })
  const source = laneSource(onLane)
  return {
    ...onLane,
    via: 'lane',
    ...(source ? { source } : { isMisplaced: true }),
    run: runOf(onLane, `${onLane.deliveredSeq}@${onLane.storedUs}`),
    crashes: message.crashes,
    ...(message.burial && { burial: message.burial }),
  }
}
