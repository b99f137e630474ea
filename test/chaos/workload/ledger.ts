/**
 * The world outside of the mesh, a process that no nemesis touches: it writes down the effects of handlers in the order in
 * which it sees them. An idempotency key that it knows gets the same answer again, and no second effect.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import { recorderOf } from '../history/recorder.ts'

export type Entry = { handler: string; id: string; key?: string; n?: number; of?: string }

const recorder = recorderOf(process.env)
const entries = new Map<string, number>()
let count = 0

const server = createServer((request, response) => void answer(request, response))
server.keepAliveTimeout = 60_000
server.listen(Number(process.env['HTTP_PORT']), '127.0.0.1')

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const body = request.method === 'POST' ? { entry: await entered(request) } : {}
    response.setHeader('content-type', 'application/json').end(JSON.stringify(body))
  } catch {
    // A call that was cut off in the middle.
    response.destroy()
  }
}

async function entered(request: IncomingMessage): Promise<number> {
  const entry = (await json(request)) as Entry
  const idempotencyKey = request.headers['idempotency-key']
  const name = typeof idempotencyKey === 'string' ? `${entry.handler} ${idempotencyKey}` : undefined
  const known = name === undefined ? undefined : entries.get(name)
  if (known !== undefined) return known
  recorder.record({ op: 'effect', ...entry })
  count += 1
  if (name !== undefined) entries.set(name, count)
  return count
}
