import { isObject } from '../given.ts'
import { nanosOf } from '../consume/ordered/stored-delivery.ts'

/** What the server told of a message that it gave up. Names as on the server. */
export type Advisory = {
  readonly stream: string
  readonly durable: string
  readonly seq: number
  /** By the server's clock, unix ns. */
  readonly at: string
}

const SUBJECT = '$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES'

/** Where the server tells it of a stream's consumers. */
export const advisorySubject = (stream: string): string => `${SUBJECT}.${stream}.*`

/**
 * Undefined for anything else: in an account everybody may publish there.
 * Its form is nats-server's `io.nats.jetstream.advisory.v1.max_deliver` (2.15).
 */
export function readAdvisory(payload: string): Advisory | undefined {
  const { stream, consumer, stream_seq: seq, timestamp } = parsed(payload)
  if (typeof stream !== 'string' || typeof consumer !== 'string' || typeof timestamp !== 'string') return undefined
  if (!Number.isSafeInteger(seq) || Number.isNaN(Date.parse(timestamp))) return undefined
  return { stream, durable: consumer, seq: seq as number, at: nanosOf(timestamp) }
}

function parsed(payload: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(payload)
    return isObject(value) ? value : {}
  } catch {
    return {}
  }
}
