/** A process of a mesh that goes wrong as `MODE` says: `busy` blocks its event loop, `leaky` has calls that never return. */
import { once } from 'node:events'
import { connectMesh, defineService, event, on, reply, request, stream } from '@malha/mesh'
import { serveHealth, startTelemetry } from '@malha/telemetry'
import { z } from 'zod'

const Data = z.object({})
const leaks = stream('LEAKS', { subjects: ['leak.>'] })
const leaked = event('leak.event', { stream: leaks, schema: Data })
const asked = request('leak.request', { schema: Data, reply: Data })
const never = (): Promise<never> => new Promise(() => {})

await using telemetry = startTelemetry({ service: 'lab-process', version: '1.0.0', env: process.env })
const { metrics, log } = telemetry
await using _health = await serveHealth({ port: Number(process.env['HEALTH_PORT']), metrics })
const mode = process.env['MODE']
// Between two of them it answers whoever reads its metrics.
if (mode === 'busy') setInterval(() => block(550), 1000)
if (mode === 'leaky') {
  const mesh = await connectMesh({ servers: [process.env['NATS_URL']!], metrics, logger: log })
  await mesh.start(
    defineService('leaky', {
      handlers: { leak: on(leaked, { startFrom: 'all', timeoutMs: 500 }, never) },
      replies: { leak: reply(asked, { timeoutMs: 500 }, never) },
    }),
  )
  await mesh.publish(leaked, {})
  await mesh.request(asked, {}, { timeoutMs: 1000 }).catch(() => undefined)
}
await once(process, 'SIGTERM')
process.exit(0)

function block(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}
