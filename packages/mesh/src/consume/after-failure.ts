import { writeLetter } from '../failure/dead-letter.ts'
import type { Decision } from '../failure/decide.ts'
import { dropFromLane, type Lane } from '../failure/lane.ts'
import type { Envelope } from '../message/envelope.ts'
import type { Burial, Delivery } from './delivery.ts'
import type { RunnerOptions } from './runner-options.ts'

const RECORD_EVERY_MS = 1000

export type Recorded = { envelope: Envelope | undefined; decision: Decision; nextAttemptAt: string | null }

/** Leaves a record of a failed attempt: at most one a second a message while it is here, of a shadow none. Never throws. */
export async function leaveRecord(
  { record, def }: RunnerOptions,
  delivery: Delivery,
  { envelope, decision, nextAttemptAt }: Recorded,
): Promise<void> {
  const now = performance.now()
  const isDue = nextAttemptAt === null || now - delivery.lastRecordAt >= RECORD_EVERY_MS
  if (!envelope || !isDue || def.shadow) return
  delivery.lastRecordAt = now
  await record({ delivery, envelope, verdict: decision.verdict, nextAttemptAt })
}

/** Says that a message is tried again later. */
export function sayRetry(
  options: RunnerOptions,
  delivery: Delivery,
  { envelope, decision }: { envelope: Envelope | undefined; decision: Extract<Decision, { kind: 'retry' }> },
): void {
  const { delayMs, verdict } = decision
  const nextAttemptAt = new Date(Date.now() + delayMs).toISOString()
  void leaveRecord(options, delivery, { envelope, decision, nextAttemptAt })
  const fields = { ...options.labels, code: verdict.code, attempt: delivery.attempts, delayMs }
  options.log.debug(fields, 'attempt failed')
}

/** Stores the letter of a message and says so. Resolves when it is stored. */
export async function bury(options: RunnerOptions, delivery: Delivery, { decision, error }: Burial): Promise<void> {
  const { metrics, log, lane, office, labels, def } = options
  const { code, message } = decision
  // What a shadow failed at stands in its run: nobody has to do anything about it.
  if (def.shadow && delivery.run) return
  await lane.identity.confirm(delivery)
  await writeLetter(office, delivery, { code, message, error })
  metrics.deadLetter(labels, code)
  metrics.attempts(labels, delivery.attempts)
  log.warn({ ...labels, code, reason: message, ...delivery.source }, 'dead letter written')
}

/**
 * Whether it may have left something elsewhere: one that was delivered again, when its ack was lost; one that was sent to the
 * lane from here, when the word that it is stored was; one that another process may have had.
 */
export const mayHaveLeft = ({ deliveryCount, wasSentToLane, isInDoubt }: Delivery): boolean =>
  deliveryCount > 1 || wasSentToLane || isInDoubt

/** Takes back the copy that an original may have left on the lane. Never throws. */
export async function dropStaleCopy(lane: Lane, delivery: Delivery): Promise<void> {
  if (delivery.via === 'event') await dropFromLane(lane, delivery).catch(() => undefined)
}
