import { hash } from 'node:crypto'

/**
 * The id of a centre, as the API makes it of a client without a name and its idempotency key
 * (packages/services/distribution-center/src/http/center-id.ts).
 */
export function centerOf(key: string): string {
  return `ctr_${hash('sha256', `center\nanonymous\n${key}`, 'hex').slice(0, 32)}`
}
