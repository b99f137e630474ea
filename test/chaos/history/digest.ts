import { createHash } from 'node:crypto'

/** What a stream and its archive must say alike of a message, beside where it stands. */
export type Content = {
  id: string
  type: string
  correlation: string
  causation: string
  subject: string
  /** When the broker stored it, Unix ns. */ storedAtNs: bigint
  payload: Uint8Array
}

/** The first 16 hexadecimal digits of SHA-256 over all of it, in this order. */
export function digestOf({ payload, storedAtNs, ...texts }: Content): string {
  const { id, type, correlation, causation, subject } = texts
  const lines = [id, type, correlation, causation, subject, storedAtNs].map((line) => `${line}\n`)
  const hash = createHash('sha256').update(lines.join('')).update(payload)
  return hash.digest('hex').slice(0, 16)
}

/** The same of a row of `archive.events`, computed by ClickHouse. */
export const DIGEST_OF_ROW: string =
  "substring(lower(hex(SHA256(concat(event_id, '\\n', event_type, '\\n', correlation_id, '\\n', causation_id, '\\n', subject, '\\n', toString(toUnixTimestamp64Nano(published_at)), '\\n', payload)))), 1, 16)"
