import { randomUUID } from 'node:crypto'
import { createInbox, type NatsConnection } from '@nats-io/transport-node'
import { SOURCE } from '../orders.ts'
import { TRACEPARENT } from '../trace-context.ts'

/** Publishes over the core protocol, one reply inbox for all. Resolves when the message is stored. */
export interface LeanPublisher {
  publish(subject: string, payload: string, type: string): Promise<void>
  close(): void
}

type Waiting = { sentAt: number; resolve: () => void; reject: (error: Error) => void }

const TIMEOUT_MS = 5000
const encoder = new TextEncoder()

/**
 * The ceiling of what this client publishes: what the mesh sends, byte for byte, and nothing done beside it but to wait for
 * the answer. An answer is believed when it begins as a success does.
 */
export function leanPublisher(nc: NatsConnection): LeanPublisher {
  const inbox = createInbox()
  const cut = inbox.length + 1
  const waiting = new Map<string, Waiting>()
  let counter = 0
  const sub = nc.subscribe(`${inbox}.*`, {
    callback(error, msg) {
      if (error) throw error
      const token = msg.subject.slice(cut)
      const one = waiting.get(token)
      if (one === undefined) return
      waiting.delete(token)
      // {"stream":… , or {"error":…
      if (msg.data[2] === 0x73) one.resolve()
      else one.reject(new Error(msg.string() || `status ${msg.headers?.code}`))
    },
  })
  const sweep = setInterval(() => {
    const tooOld = Date.now() - TIMEOUT_MS
    for (const [token, one] of waiting) {
      if (one.sentAt > tooOld) break
      waiting.delete(token)
      one.reject(new Error(`no answer within ${TIMEOUT_MS} ms`))
    }
  }, 250)
  return {
    publish(subject, payload, type) {
      const token = (counter++).toString(36)
      return new Promise((resolve, reject) => {
        const now = Date.now()
        waiting.set(token, { sentAt: now, resolve, reject })
        nc.publish(subject, payload, { reply: `${inbox}.${token}`, headers: headerBlock(type, now) as never })
      })
    },
    close() {
      clearInterval(sweep)
      sub.unsubscribe()
    },
  }
}

/** The headers of the mesh, in its order. The client takes anything that has `encode()`. */
function headerBlock(type: string, now: number): { encode(): Uint8Array } {
  const id = randomUUID()
  const text = `NATS/1.0\r\nNats-Trace-Dest: trace disabled\r\nce-specversion: 1.0\r\nce-id: ${id}\r\nce-type: ${type}\r\nce-source: /${SOURCE}\r\nce-time: ${new Date(now).toISOString()}\r\nce-dataschema: ${type}/1\r\nce-correlationid: ${id}\r\ncontent-type: application/json\r\ntraceparent: ${TRACEPARENT}\r\nNats-Msg-Id: ${id}\r\n\r\n`
  return { encode: () => encoder.encode(text) }
}
