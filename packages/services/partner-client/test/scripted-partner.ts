import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

export type Scripted = AsyncDisposable & {
  url: string
  /** What came in, in order. */
  requests: { url: string | undefined; headers: IncomingMessage['headers']; body: string }[]
  /** Connections made so far. */
  connections: () => number
  stop(): Promise<void>
}

/** A partner that answers as `script` says: for protocol faults no simulator makes. */
export async function scriptedPartner(script: (response: ServerResponse, nth: number) => void): Promise<Scripted> {
  const requests: Scripted['requests'] = []
  const sockets = new Set<Socket>()
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', (chunk: string) => (body += chunk))
    request.on('end', () => {
      requests.push({ url: request.url, headers: request.headers, body })
      script(response, requests.length)
    })
  })
  server.on('connection', (socket) => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const stop = async (): Promise<void> => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { url, requests, connections: () => sockets.size, stop, [Symbol.asyncDispose]: stop }
}

/** Answers with JSON. */
export function say(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}
