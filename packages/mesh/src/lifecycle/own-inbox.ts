import { createInbox, type NatsConnection } from '@nats-io/transport-node'

/**
 * A new subject for answers, where the connection's user may listen: below the prefix it was opened with, which a user with least
 * privilege is bound to. The connection knows the prefix; its type (@nats-io/nats-core 3.4) does not say so.
 */
export function ownInbox(nats: NatsConnection): string {
  return createInbox((nats as { options?: { inboxPrefix?: string } }).options?.inboxPrefix)
}
