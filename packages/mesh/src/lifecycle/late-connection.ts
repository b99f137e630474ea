import { setTimeout as sleep } from 'node:timers/promises'
import { MeshError } from '../errors.ts'
import type { Logger } from '../observe/logger.ts'

const MIN_WAIT_MS = 250
const MAX_WAIT_MS = 2000

/** A connection that may come later. */
export type LateConnection<T> = {
  /** Undefined until it is there. */
  readonly current: T | undefined
  /** Resolves when it is there; rejects (MESH_CLOSED) when it was given up before. */
  readonly ready: Promise<T>
  /** Gives up. */
  stop(): Promise<void>
}

/**
 * Connects, and where the broker is away goes on in the background.
 * @throws what `connect` throws the first time, but for MESH_CONNECT_FAILED
 */
export async function connectSoonOrLater<T>(connect: () => Promise<T>, log: Logger): Promise<LateConnection<T>> {
  const stopping = new AbortController()
  const { signal } = stopping
  const { promise: ready, resolve, reject } = Promise.withResolvers<T>()
  ready.catch(() => undefined)
  let current: T | undefined
  const take = (made: T): void => {
    current = made
    resolve(made)
  }

  async function goOn(said: unknown): Promise<void> {
    let why = sentence(said)
    for (let waitMs = MIN_WAIT_MS; ; waitMs = Math.min(waitMs * 2, MAX_WAIT_MS)) {
      await sleep(waitMs * (1 + Math.random() / 2), undefined, { signal }).catch(() => undefined)
      if (signal.aborted) return
      try {
        take(await connect())
        log.info({}, 'NATS is there')
        return
      } catch (error) {
        // The process takes events meanwhile, so it does not end over a password that is wrong, or wrong for a while.
        const isAway = error instanceof MeshError && error.code === 'MESH_CONNECT_FAILED'
        if (!isAway) log.error({ err: error }, 'NATS is there, but not for this process; trying on')
        else if (sentence(error) !== why) log.warn({ err: error }, 'NATS is away for another reason; trying on')
        why = sentence(error)
      }
    }
  }

  let background = Promise.resolve()
  try {
    take(await connect())
  } catch (error) {
    if (!(error instanceof MeshError && error.code === 'MESH_CONNECT_FAILED')) throw error
    log.warn({ err: error }, 'NATS is away; events are queued in the spool until it is there')
    background = goOn(error)
  }
  return {
    get current() {
      return current
    },
    ready,
    async stop() {
      stopping.abort()
      await background
      reject(new MeshError('MESH_CLOSED', 'the mesh was closed before NATS was there'))
    },
  }
}

const sentence = (error: unknown): string => (error instanceof Error ? error.message : String(error))
