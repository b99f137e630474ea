import { hash, randomBytes } from 'node:crypto'

/** A centre's id when the client gave no idempotency key. */
export function randomCenterId(): string {
  return `ctr_${randomBytes(16).toString('hex')}`
}

/**
 * A centre's id from the client and its idempotency key, so that the same request finds the same centre, from every
 * instance and after every restart, without a table of keys. 128 bits of SHA-256; both parts are visible ASCII, so the line
 * break between them cannot be theirs.
 */
export function derivedCenterId(client: string, idempotencyKey: string): string {
  return `ctr_${hash('sha256', `center\n${client}\n${idempotencyKey}`, 'hex').slice(0, 32)}`
}
