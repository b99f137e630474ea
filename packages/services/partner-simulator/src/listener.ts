import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** A port that can be closed and opened again: nothing listens on it in between, so connections are refused. */
export interface Listener {
  readonly port: number
  open(): Promise<void>
  /** Stops listening and cuts every connection, requests under way included. */
  shut(): Promise<void>
}

/** Another program may have been lent the port while it was shut. */
const REOPEN_WITHIN_MS = 5000

/**
 * Listens on `host:port`; port 0 takes a free one and keeps its number.
 * @throws when the port is taken
 */
export async function listen(host: string, port: number, onRequest: RequestListener): Promise<Listener> {
  let server: Server | undefined = await serve(host, port, onRequest)
  const taken = (server.address() as AddressInfo).port
  return {
    port: taken,
    async open() {
      server ??= await reopen(host, taken, onRequest)
    },
    async shut() {
      const closing = server
      server = undefined
      if (!closing) return
      const closed = new Promise<void>((resolve) => closing.close(() => resolve()))
      closing.closeAllConnections()
      await closed
    },
  }
}

async function reopen(host: string, port: number, onRequest: RequestListener): Promise<Server> {
  const giveUpAt = Date.now() + REOPEN_WITHIN_MS
  for (;;) {
    try {
      return await serve(host, port, onRequest)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || Date.now() >= giveUpAt) throw error
      await sleep(50)
    }
  }
}

function serve(host: string, port: number, onRequest: RequestListener): Promise<Server> {
  const server = createServer({ keepAlive: true, keepAliveTimeout: 30_000 }, onRequest)
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve(server)
    })
  })
}
