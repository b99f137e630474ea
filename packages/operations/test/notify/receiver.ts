import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Logger, silentLogger } from '@malha/mesh'

/** What was posted, and when, ms. */
export type Received = {
  body: Record<string, unknown>
  atMs: number
  headers: IncomingMessage['headers']
  path: string
}

/** Where messages are posted to. */
export interface Receiver extends AsyncDisposable {
  /** With a path that nobody may read elsewhere. */
  readonly url: string
  readonly port: number
  /** Those it took. */
  readonly received: Received[]
  /** Of all requests, those it refused too. */
  readonly asked: number
  /** How it answers; null: not at all. */
  answer: { status: number; headers?: Record<string, string> } | null
  /** How long it takes to answer what it took, ms. */
  delayMs: number
}

export const SECRET_PATH = '/services/T0SECRET/B0SECRET'

/** Takes what is posted, and answers 200 until it is told otherwise. */
export async function receiver({ port = 0 }: { port?: number } = {}): Promise<Receiver> {
  let asked = 0
  const received: Received[] = []
  const state: Pick<Receiver, 'answer' | 'delayMs'> = { answer: { status: 200 }, delayMs: 0 }
  const listen = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    asked++
    const body = await text(request)
    const { answer } = state
    if (!answer) return
    if (answer.status < 300)
      received.push({
        body: JSON.parse(body) as Record<string, unknown>,
        atMs: performance.now(),
        headers: request.headers,
        path: request.url ?? '',
      })
    await sleep(state.delayMs)
    response.writeHead(answer.status, answer.headers).end(`no such thing: ${request.url}`)
  }
  const server = createServer((request, response) => void listen(request, response))
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const { port: taken } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${taken}${SECRET_PATH}`,
    port: taken,
    received,
    get asked() {
      return asked
    },
    get answer() {
      return state.answer
    },
    set answer(answer) {
      state.answer = answer
    },
    get delayMs() {
      return state.delayMs
    },
    set delayMs(delayMs) {
      state.delayMs = delayMs
    },
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

/** Keeps all that is logged, as one would write it to a file. */
export function keptLog(): { logger: Logger; lines: string[] } {
  const lines: string[] = []
  const keep = (fields: object, message: string): void => {
    const { err, ...rest } = fields as { err?: unknown }
    const said = err instanceof Error ? `${err.stack} ${String(err.cause)} ${JSON.stringify(err.cause)}` : String(err)
    lines.push(`${message} ${JSON.stringify(rest)} ${said}`)
  }
  return { lines, logger: { ...silentLogger, info: keep, warn: keep, error: keep, debug: keep } }
}
