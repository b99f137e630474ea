import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { trace } from '@opentelemetry/api'
import { startTelemetry } from '../src/index.ts'

/** What process.int.test.ts runs: a span, some log lines that must not leak, and one HTTP call. */
await using telemetry = startTelemetry({ service: 'probe', env: process.env })
const { log } = telemetry
log.info({ nats: { url: process.env['NATS_URL'], password: 'in-field' } }, 'connecting')
log.error(
  { err: new Error(`user me with ${process.env['NATS_PASSWORD']} refused at ${process.env['NATS_URL']}`) },
  'refused',
)
log.child({ token: process.env['NATS_TOKEN'] }).warn({ deep: { list: [process.env['NATS_TOKEN']] } }, 'odd')

await trace.getTracer('probe').startActiveSpan('work', async (span) => {
  log.info({}, 'inside a span')
  await callOnce((url) => fetch(url, { method: 'POST' }))
  span.end()
})

async function callOnce(call: (url: string) => Promise<Response>): Promise<void> {
  const server = createServer((_request, response) => response.end('{}')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const answer = await call(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  await answer.text()
  server.closeAllConnections()
  server.close()
}
