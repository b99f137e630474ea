import { setTimeout as sleep } from 'node:timers/promises'
import {
  connectMesh,
  defineService,
  event,
  type Mesh,
  meshOptions,
  on,
  type PublishOptions,
  Reject,
  retry,
  stream,
} from '@malha/mesh'
import { startTraces, type TracesServer } from '@malha/stack'
import { startTelemetry } from '@malha/telemetry'
import { testServer } from '@malha/testing'
import type { Browser } from 'playwright-core'
import { z } from 'zod'
import { type Console, startConsole } from '../../src/index.ts'
import { launchChromium } from '../chromium.ts'

const schema = z.object({ id: z.string() })
const centers = stream('CENTERS', { subjects: ['center.>'] })
const partners = stream('PARTNERS', { subjects: ['provider.>'] })
export const registered = event('center.registered', { stream: centers, schema, key: ({ id }) => id })
const created = event('provider.created', { stream: partners, schema, key: ({ id }) => id })

/** Two services, of which one hears what the other publishes; one handler fails once for each message, another for good. */
const services = () => {
  const tried = new Set<string>()
  return [
    defineService('provider', {
      publishes: [created],
      handlers: {
        senninha: on(registered, { startFrom: 'all', retry: retry({ minDelayMs: 20 }) }, async ({ id }, ctx) => {
          await sleep(5)
          if (!tried.has(id)) {
            tried.add(id)
            throw new Error('not the first time')
          }
          ctx.publish(created, { id })
        }),
        maas: on(registered, { startFrom: 'all' }, () => Promise.reject(new Reject('the address is missing'))),
      },
    }),
    defineService('distribution-center', {
      publishes: [registered],
      handlers: { provider: on(created, { startFrom: 'all' }, () => undefined) },
    }),
  ]
}

/** A mesh that works and fails, its traces, a console, and a browser. */
export interface LooksScene extends AsyncDisposable {
  readonly mesh: Mesh
  readonly console: Console
  readonly traces: TracesServer
  readonly browser: Browser
  readonly faults: string[]
  publish(id: string, options?: PublishOptions): Promise<void>
}

export async function openLooks(): Promise<LooksScene> {
  await using parts = new AsyncDisposableStack()
  const [server, traces, browser] = await Promise.all([testServer(), startTraces({ env: {} }), launchChromium()])
  parts.use(server)
  parts.use(traces)
  parts.defer(() => browser.close())
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: traces.otlpUrl, OTEL_BSP_SCHEDULE_DELAY: '100' }
  parts.use(startTelemetry({ service: 'test', version: '1', env }))
  const mesh = parts.use(await connectMesh(meshOptions({ NATS_URL: server.url })))
  for (const service of services()) {
    const running = await mesh.start(service)
    parts.defer(() => running.stop())
  }
  const places = { jaegerUrl: traces.queryUrl, tracesUrl: traces.queryUrl }
  const console = parts.use(await startConsole({ mesh, port: 0, role: 'operator', who: 'on-call', ...places }))
  const kept = parts.move()
  return {
    mesh,
    console,
    traces,
    browser,
    faults: [],
    async publish(id, options) {
      await mesh.publish(registered, { id }, options)
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}
