/** Finds out why a connection does not come back. The client tries on for ever, and tells nobody what it was told. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { MeshError } from '../errors.ts'
import type { Logger } from '../observe/logger.ts'
import type { ConnectionWatch } from './connection-watch.ts'

/** Most are back by then. */
const FIRST_MS = 1000
const EVERY_MS = 5000

type WhyAwayOptions = {
  connection: ConnectionWatch
  /** Undefined: it would come back. */
  look: () => Promise<MeshError | undefined>
  log: Logger
}

type WhyAway = {
  /** What happened and what to do; undefined while it is there, or nothing is known. */
  readonly reason: string | undefined
  stop(): void
}

/** Looks while the connection is away, logs each reason once, and forgets it when the connection is back. */
export function whyAway({ connection, look, log }: WhyAwayOptions): WhyAway {
  let reason: string | undefined
  let away: AbortController | undefined
  const watch = async (signal: AbortSignal): Promise<void> => {
    for (let ms = FIRST_MS; !signal.aborted; ms = EVERY_MS) {
      await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined)
      if (signal.aborted) return
      const error = await look()
      if (signal.aborted) return
      // One that is down is back some time by itself; one that refuses this process waits for somebody.
      const level = error?.code === 'MESH_CONNECT_FAILED' ? 'warn' : 'error'
      if (error && error.message !== reason)
        log[level]({ err: error }, 'NATS does not take this process back; trying on')
      reason = error?.message
    }
  }
  const stop = (): void => {
    away?.abort()
    away = undefined
    reason = undefined
  }
  const unlisten = connection.listen({
    down() {
      away ??= new AbortController()
      void watch(away.signal)
    },
    up: stop,
  })
  return {
    get reason() {
      return reason
    },
    stop() {
      unlisten()
      stop()
    },
  }
}
