import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connectMesh, defineService, event, on, Reject, request, reply, stream } from '@malha/mesh'
import { startNotifier } from '@malha/operations'
import { prometheusMetrics, serveHealth } from '@malha/telemetry'
import { jetstreamManager } from '@nats-io/jetstream'
import { z } from 'zod'
import type { Lab } from './fault.ts'
import { repeater } from './repeat.ts'

const Data = z.object({ text: z.string() })
const tiny = stream('TINY', { subjects: ['tiny.>'], maxBytes: 64 * 1024 })
const fill = event('tiny.fill', { stream: tiny, schema: Data })
const later = event('tiny.later', { stream: tiny, schema: Data })
const quote = request('lab.quote', { schema: z.object({}), reply: z.object({}) })
const text = 'x'.repeat(6000)

/** What goes out: a full stream, and nobody who answers. */
export async function messageLab(url: string): Promise<Lab> {
  await using opening = new AsyncDisposableStack()
  const metrics = prometheusMetrics({ service: 'messages', version: '1.0.0' })
  const mesh = opening.use(await connectMesh({ servers: [url], metrics }))
  await mesh.start(defineService('filler', { handlers: {}, publishes: [fill, later] }))
  const jsm = await jetstreamManager(mesh.nats)
  const health = opening.use(await serveHealth({ port: 0, metrics }))
  const prices = defineService('prices', { handlers: {}, replies: { quote: reply(quote, () => ({})) } })
  const filling = repeater(300, () => mesh.publish(fill, { text }))
  const asking = repeater(200, () => mesh.request(quote, {}, { timeoutMs: 1000 }))
  opening.defer(() => filling.stop())
  opening.defer(() => asking.stop())
  const rest = opening.move()
  return {
    targets: [`127.0.0.1:${health.port}`],
    faults: [
      {
        alerts: ['PublishFailing', 'DelaysFailing', 'StreamNearLimit'],
        async begin() {
          await mesh.publish(later, { text }, { deliverIn: 15_000 })
          filling.start()
        },
        async end() {
          await filling.stop()
          await jsm.streams.purge('TINY')
        },
      },
      {
        alerts: ['RequestsFailing'],
        begin: async () => asking.start(),
        end: async () => void (await mesh.start(prices)),
      },
    ],
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  }
}

/** A notifier whose webhook refuses, or is away. */
export async function notifierLab(url: string, how: 'refuses' | 'is away'): Promise<Lab> {
  await using opening = new AsyncDisposableStack()
  const metrics = prometheusMetrics({ service: 'notifier', version: '1.0.0' })
  const namespace = how === 'refuses' ? 'refused' : 'away'
  const orders = stream('ORDERS', { subjects: ['order.>'] })
  const placed = event('order.placed', { stream: orders, schema: Data })
  const mesh = opening.use(await connectMesh({ servers: [url], namespace }))
  await mesh.start(
    defineService('shop', {
      handlers: { bill: on(placed, { startFrom: 'all' }, () => Promise.reject(new Reject('no'))) },
    }),
  )
  let status = 400
  const webhook = createServer((_, response) => response.writeHead(status).end())
  opening.defer(() => void webhook.close())
  await once(webhook.listen(0, '127.0.0.1'), 'listening')
  const { port } = webhook.address() as AddressInfo
  status = how === 'refuses' ? 400 : 503
  const times = { quietMs: 100, lookMs: 200, giveUpMs: 500, timeoutMs: 500 }
  opening.use(await startNotifier(mesh, { url: `http://127.0.0.1:${port}/`, metrics, ...times }))
  const health = opening.use(await serveHealth({ port: 0, metrics }))
  const rest = opening.move()
  return {
    targets: [`127.0.0.1:${health.port}`],
    faults: [
      {
        alerts: [how === 'refuses' ? 'NotificationsRefused' : 'NotificationsOwed'],
        begin: async () => void (await mesh.publish(placed, { text: 'one' })),
        end: async () => void (status = 200),
      },
    ],
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  }
}
