import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { createLinks, type Direction, type ProxyCounts } from './proxy-links.ts'

export type FaultProxyOptions = {
  /** Where to: a port of 127.0.0.1, `host:port`, or a URL whose scheme `url` then has too. */
  target: number | string
  /** Of 127.0.0.1, to listen on. While the proxy refuses, nobody holds it. @default a free one */
  port?: number
}

/** A TCP proxy on a free port of 127.0.0.1 that fails when told to. */
export interface FaultProxy extends AsyncDisposable {
  readonly port: number
  /** The proxy's address with the target's scheme; `tcp:` when the target has none. */
  readonly url: string
  readonly counts: ProxyCounts
  /** Destroys all open connections with a reset. New ones are taken. Returns how many there were. */
  cut(): number
  /** Keeps connections open but passes nothing on, one way or both. New connections stall too. */
  stall(direction?: Direction): void
  /** Passes on what was held and what comes. */
  resume(direction?: Direction): void
  /** Passes on what comes from now on `ms` later, in order, one way or both; 0 ends it. */
  delay(ms: number, direction?: Direction): void
  /** Stops listening, so that connecting is refused (ECONNREFUSED), and cuts what is open. */
  refuse(): Promise<void>
  /** Listens again on the same port. */
  accept(): Promise<void>
  /**
   * Passes on `bytes` more bytes that way, then cuts every connection, in the middle of a message if it falls so. Once.
   * @param direction @default 'toServer'
   */
  dropAfter(bytes: number, direction?: Direction): void
}

/**
 * Starts a TCP proxy in front of `target`.
 * @throws TypeError when `target` names no port
 */
export async function faultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const target = parseTarget(options.target)
  const links = createLinks(target)
  const { port, server } = await (options.port === undefined
    ? listenAnywhere(links.take)
    : listenOn(options.port, links.take))
  let listening: Server | undefined = server

  async function refuse(): Promise<void> {
    const closing = listening
    listening = undefined
    const closed = closing && once(closing, 'close')
    closing?.close()
    links.cut()
    await closed
  }

  return {
    port,
    url: `${target.scheme}://127.0.0.1:${port}`,
    get counts() {
      return links.counts()
    },
    cut: links.cut,
    stall: links.stall,
    resume: links.resume,
    delay: links.delay,
    refuse,
    async accept() {
      listening ??= await listen(port, links.take)
    },
    dropAfter: (bytes, direction = 'toServer') => links.dropAfter(bytes, direction),
    [Symbol.asyncDispose]: refuse,
  }
}

function parseTarget(target: number | string): { host: string; port: number; scheme: string } {
  const text = typeof target === 'number' ? `127.0.0.1:${target}` : target
  const url = URL.parse(text.includes('://') ? text : `tcp://${text}`)
  if (!url?.port) throw new TypeError(`fault proxy: the target ${JSON.stringify(target)} names no port`)
  return { host: url.hostname, port: Number(url.port), scheme: url.protocol.slice(0, -1) }
}

/**
 * A port below the range the system hands out to outgoing connections (from 32768 on Linux): none of those can take it
 * while the proxy refuses.
 */
async function listenAnywhere(take: (client: Socket) => void): Promise<{ server: Server; port: number }> {
  for (let tries = 1; ; tries += 1) {
    const port = 15_000 + Math.floor(Math.random() * 15_000)
    try {
      return { server: await listen(port, take), port }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || tries === 50) throw error
    }
  }
}

async function listenOn(port: number, take: (client: Socket) => void): Promise<{ server: Server; port: number }> {
  return { server: await listen(port, take), port }
}

async function listen(port: number, take: (client: Socket) => void): Promise<Server> {
  const server = createServer(take)
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}
