import type { NatsConnection } from '@nats-io/transport-node'

/** What one pull loop may have under way on a connection that others share. */
export interface Share {
  /** The most that one request may ask for now, bytes. */
  bytes(): number
  giveBack(): void
}

/**
 * A server ends the connection of who is 64 MiB behind (`max_pending`), and with it all else that is on it, so that the loops of
 * one connection share half of that. Primes, since of a request whose bytes end at 0 the server does not say that it is over
 * (2.15, consumer.go).
 */
const MOST_BYTES = [8_388_593, 4_194_301, 2_097_143] as const
const CONNECTION_BYTES = 32 * 1024 ** 2
/** What a message takes beside its payload and headers: its subject and that of its answer. */
const SUBJECT_BYTES = 65_537

/** How many loops there are. */
const loops = new WeakMap<NatsConnection, number>()

/** Counts a loop in, until it gives its share back. A message of the server's `max_payload` always fits. */
export function takeShare(nc: NatsConnection): Share {
  const count = (by: number): void => void loops.set(nc, (loops.get(nc) ?? 0) + by)
  let isTaken = true
  count(1)
  return {
    bytes() {
      const share = CONNECTION_BYTES / loops.get(nc)!
      const most = MOST_BYTES.find((bytes) => bytes <= share) ?? MOST_BYTES.at(-1)!
      return Math.max(most, (nc.info?.max_payload ?? 0) + SUBJECT_BYTES)
    },
    giveBack() {
      if (isTaken) count(-1)
      isTaken = false
    },
  }
}
