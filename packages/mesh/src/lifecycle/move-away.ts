/**
 * Leaves a server that is about to end (lame duck mode) before it closes the connection: what is on its way then is lost, and
 * a message comes again only after its `ack_wait`.
 *
 * V1  The connection is left when nothing is under way: no message asked for, no request without its answer. What cannot be
 *     waited for is made good as after any loss of a connection: acks and publishes are sent again.
 * V2  It is left within `MOST_MS`, before the server closes it: it waits 10 s by default (`lame_duck_grace_period`), and
 *     then goes from client to client.
 * V3  Not all clients leave in one moment.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { NatsConnection } from '@nats-io/transport-node'
import type { Logger } from '../observe/logger.ts'
import type { MovableConnection } from './connection-watch.ts'

/** Requests for messages end then. */
const LEAST_MS = 300
const SPREAD_MS = 500
const MOST_MS = 2500
const LOOK_MS = 2

/** @returns what to call when the server says so */
export function movingAway(nc: NatsConnection, connection: () => MovableConnection, log: Logger): () => void {
  let isMoving = false
  const move = async (): Promise<void> => {
    const server = nc.getServer()
    let isGone = false
    const unlisten = connection().listen({ down: () => (isGone = true) })
    const isOver = (): boolean => isGone || nc.isClosed() || nc.isDraining()
    const startedAt = performance.now()
    const at = startedAt + LEAST_MS + Math.random() * SPREAD_MS
    await Promise.race([connection().prepareToMove(at), sleep(MOST_MS, undefined, { ref: false })])
    while (!isOver() && callsInFlight(nc) > 0 && performance.now() - startedAt < MOST_MS) await sleep(LOOK_MS)
    unlisten()
    if (isOver()) return
    log.info({ server }, 'this server of NATS is about to end; moving to another')
    await nc.reconnect()
  }
  return () => {
    // Where there is no other, it stays as long as it may.
    if (isMoving || nc.info?.cluster === undefined) return
    isMoving = true
    void move()
      .catch((err: unknown) => log.warn({ err }, 'this server of NATS is about to end, and will close the connection'))
      .finally(() => (isMoving = false))
  }
}

/** Requests without an answer, as far as the client shows them (nats-core 3.4, muxsubscription.ts): not public. */
function callsInFlight(nc: NatsConnection): number {
  const { protocol } = nc as { protocol?: { muxSubscriptions?: { size?: () => number } } }
  return protocol?.muxSubscriptions?.size?.() ?? 0
}
