import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { jetstream } from '@nats-io/jetstream'
import { connectPlain, ORDERS_STREAM } from '../../twins/connect.ts'
import { serveVariant } from '../../variant.ts'

/** A span is sent within a second, or tried again for ten. */
const PATIENCE_MS = 15_000
const POLL_MS = 100
/** Once in each span of OTLP's JSON, and nowhere else. */
const SPAN = Buffer.from('"startTimeUnixNano"')

/** A collector that counts: of every event whose trace was sampled there must be one span of its publish and one of its handling. */
await serveVariant<{ collectorPort: number }>(async ({ servers, messages, settings: { collectorPort } }) => {
  const nats = await connectPlain(servers)
  let received = 0
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => void chunks.push(chunk))
    request.on('end', () => {
      received += spansIn(Buffer.concat(chunks))
      response.setHeader('content-type', 'application/json').end('{}')
    })
  }).listen(collectorPort, '127.0.0.1')
  await once(server, 'listening')
  return {
    prepare() {
      received = 0
      return Promise.resolve()
    },
    async run() {
      const expected = 2 * (await sampledEvents())
      const lost = (): number => expected - received
      for (let waitedMs = 0; lost() > 0 && waitedMs < PATIENCE_MS; waitedMs += POLL_MS) await sleep(POLL_MS)
      if (lost() < 0) throw new Error(`${received} spans came of ${expected}`)
      return { messages: 0, figures: { lostSpans: lost(), spans: received } }
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await nats.close()
    },
  }

  /** By what the stream holds: the flag in the trace context of each event. */
  async function sampledEvents(): Promise<number> {
    const consumer = await jetstream(nats).consumers.get(ORDERS_STREAM, { headers_only: true })
    let left = messages
    let sampled = 0
    for await (const { headers } of await consumer.consume({ max_messages: 10_000 })) {
      if (headers?.get('traceparent').endsWith('-01')) sampled++
      if (--left === 0) break
    }
    return sampled
  }
})

function spansIn(body: Buffer): number {
  let count = 0
  for (let at = body.indexOf(SPAN); at >= 0; at = body.indexOf(SPAN, at + SPAN.length)) count++
  return count
}
