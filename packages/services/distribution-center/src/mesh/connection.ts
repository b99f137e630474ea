import type { NatsConnection } from '@nats-io/transport-node'

/** Whether the broker is there right now: a request that needs it is refused at once when it is not. */
export function watchConnection(nats: NatsConnection): () => boolean {
  let isUp = true
  void (async () => {
    for await (const { type } of nats.status()) {
      if (type === 'disconnect') isUp = false
      if (type === 'reconnect') isUp = true
    }
    isUp = false
  })()
  return () => isUp && !nats.isClosed()
}
