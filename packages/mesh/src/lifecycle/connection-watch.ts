import type { NatsConnection } from '@nats-io/transport-node'

/** What may happen to a connection. */
export type ConnectionListener = {
  down?: () => void
  up?: () => void
  /** The server refused something that has no answer of its own, such as a publish without permission. */
  error?: (error: Error) => void
  /**
   * The connection will be given up for another at `at` (of `performance.now()`): asks the server for nothing that comes
   * later, and resolves when nothing is under way any more.
   */
  move?: (at: number) => Promise<void>
  /** It is closed, and does not come back. */
  closed?: () => void
}

/** One reader of the client's status for all who care. */
export type ConnectionWatch = {
  isUp(): boolean
  /** Returns how to stop listening. */
  listen(listener: ConnectionListener): () => void
}

/** One that can be given up for another. */
export type MovableConnection = ConnectionWatch & {
  /** Resolves when every listener is ready for another connection. */
  prepareToMove(at: number): Promise<void>
}

/**
 * Watches until the connection is closed.
 * @param onRetiring the server is about to end and wants its clients to go elsewhere (lame duck mode)
 */
export function watchConnection(nc: NatsConnection, onRetiring?: () => void): MovableConnection {
  const listeners = new Set<ConnectionListener>()
  let isUp = true
  const tell = (change: boolean): void => {
    if (change === isUp) return
    isUp = change
    const event = isUp ? 'up' : 'down'
    for (const listener of listeners) listener[event]?.()
  }
  void (async () => {
    for await (const status of nc.status()) {
      if (status.type === 'disconnect') tell(false)
      else if (status.type === 'reconnect') tell(true)
      else if (status.type === 'ldm') onRetiring?.()
      else if (status.type === 'error') for (const listener of listeners) listener.error?.(status.error)
    }
    tell(false)
    for (const listener of listeners) listener.closed?.()
  })()
  return {
    isUp: () => isUp && !nc.isClosed(),
    async prepareToMove(at) {
      await Promise.all([...listeners].map(async (listener) => listener.move?.(at)))
    },
    listen(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/** Resolves when it is up, after `ms` at the latest: what is asked before is lost where the connection is made anew. */
export async function untilUp(connection: ConnectionWatch, ms: number): Promise<void> {
  if (connection.isUp()) return
  const isUp = Promise.withResolvers<void>()
  const unlisten = connection.listen({ up: isUp.resolve })
  const timer = setTimeout(isUp.resolve, ms)
  await isUp.promise
  clearTimeout(timer)
  unlisten()
}
