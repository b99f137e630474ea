/** Makes the pictures of docs/console: a mesh in trouble, as the console shows it. `node test/screenshots.ts` */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { archiveStreams } from '@malha/archive'
import { connectMesh, defineService, event, meshOptions, on, Reject, stream } from '@malha/mesh'
import { openOperations } from '@malha/operations'
import { startClickHouse, startTraces } from '@malha/stack'
import { startTelemetry } from '@malha/telemetry'
import { eventually, testServer } from '@malha/testing'
import type { Page } from 'playwright-core'
import { z } from 'zod'
import { startConsole } from '../src/index.ts'
import { ask } from './asking.ts'
import { launchChromium } from './chromium.ts'
import { untilLoaded } from './loaded.ts'

const folder = fileURLToPath(new URL('../../../docs/console/', import.meta.url))
const CITIES = ['Recife', 'Olinda', 'Caruaru', 'Petrolina', 'Garanhuns']
const LETTERS = 63

const centers = stream('CENTERS', { subjects: ['center.>'] })
const registered = event('center.registered', {
  stream: centers,
  schema: z.object({ centerId: z.string(), name: z.string(), city: z.string(), capacity: z.number() }),
  key: ({ centerId }) => centerId,
})

const partners = stream('PARTNERS', { subjects: ['provider.>', 'city.>'] })
const created = event('provider.created', {
  stream: partners,
  schema: z.object({ centerId: z.string(), system: z.string() }),
  key: ({ centerId }) => centerId,
})
const cityKnown = event('city.registered', {
  stream: partners,
  schema: z.object({ centerId: z.string() }),
  key: ({ centerId }) => centerId,
})

/** With the stack that a service of its own has. */
function refusal(why: string): Reject {
  const error = new Reject(why)
  error.stack = `Reject: ${error.message}\n    at check (src/partner/contract.ts:41:11)\n    at Object.handle (src/service.ts:22:15)`
  return error
}

/** Fails in some ways, or in none. */
const services = (isMended: boolean) => [
  defineService('distribution-center', {
    version: '1.2.0',
    publishes: [registered],
    handlers: {
      provider: on(created, { startFrom: 'all' }, () => undefined),
      city: on(cityKnown, { startFrom: 'all' }, () => undefined),
    },
  }),
  defineService('city-registration', {
    version: '2.3.0',
    publishes: [cityKnown],
    handlers: {
      dmitri: on(registered, { startFrom: 'all' }, ({ centerId, city }, ctx) => {
        const number = Number(centerId.slice(4))
        if (!isMended && number % 2 === 0) throw refusal(`dmitri knows no city ${3_390_000 + number} (${city})`)
        ctx.publish(cityKnown, { centerId })
      }),
    },
  }),
  defineService('provider', {
    version: '1.8.1',
    publishes: [created],
    handlers: {
      senninha: on(registered, { startFrom: 'all', concurrency: 16 }, ({ centerId, capacity }, ctx) => {
        if (!isMended && Number(centerId.slice(4)) % 6 === 1)
          throw refusal(`capacity ${capacity} is above the contract's 900`)
        ctx.publish(created, { centerId, system: 'senninha' })
      }),
      maas: on(registered, { startFrom: 'all' }, ({ centerId }, ctx) => {
        if (!isMended && Number(centerId.slice(4)) % 15 === 7)
          throw refusal('MaaS answered 422: the address is missing')
        ctx.publish(created, { centerId, system: 'maas' })
      }),
    },
  }),
]

await using parts = new AsyncDisposableStack()
const data = await mkdtemp(join(tmpdir(), 'console-pictures-'))
parts.defer(() => rm(data, { recursive: true, force: true, maxRetries: 5 }))
const server = parts.use(await testServer())
const clickhouse = await startClickHouse({ dataDir: data })
const traces = parts.use(await startTraces({ env: {} }))
parts.use(startTelemetry({ service: 'mesh', version: '1', env: { OTEL_EXPORTER_OTLP_ENDPOINT: traces.otlpUrl } }))
parts.defer(() => clickhouse.stop())
const mesh = parts.use(await connectMesh(meshOptions({ NATS_URL: server.url })))
const archive = archiveStreams({ nats: mesh.nats, namespace: '' }, { url: clickhouse.url })
parts.defer(() => archive.stop())

const failing = await Promise.all(services(false).map((service) => mesh.start(service)))
async function register(n: number): Promise<void> {
  const city = CITIES[n % CITIES.length]!
  await mesh.publish(registered, {
    centerId: `ctr_${1000 + n}`,
    name: `Distribution centre ${city}`,
    city,
    capacity: 600 + n * 7,
  })
}
for (let n = 0; n < 90; n++) await register(n)
using operations = await openOperations(mesh)
await eventually(async () => {
  await operations.letters.refresh()
  return operations.letters.list().total >= LETTERS
})
const places = { jaegerUrl: traces.queryUrl }
const console = parts.use(
  await startConsole({
    mesh,
    port: 0,
    role: 'operator',
    who: 'on-call',
    sendsEvents: true,
    clickhouse: { url: clickhouse.url },
    ...places,
  }),
)
const browser = await launchChromium()
parts.defer(() => browser.close())
await mkdir(folder, { recursive: true })
// Something flows in these, and something fails.
let next = 90
const flow = setInterval(() => void register(next++), 120)
await ask(console, '/handlers/provider/maas/pause', { body: { reason: 'MaaS moves its database', forMs: 7_200_000 } })
const flowing = { until: '.failing, .badge.failed', settleMs: 12_000 }
await picture('topology', '/topology', flowing)
await picture('topology-dark', '/topology', { ...flowing, colorScheme: 'dark', settleMs: 0 })
await picture('topology-phone', '/topology', { ...flowing, viewport: { width: 390, height: 780 }, settleMs: 0 })
await picture('handler', '/handlers/city-registration/dmitri', { ...flowing, viewport: { width: 1280, height: 1000 } })
await picture('limits', '/limits', { viewport: { width: 1280, height: 1000 } })
clearInterval(flow)
await ask(console, '/handlers/provider/maas/resume', { method: 'POST' })
await Promise.all(failing.map((one) => one.stop()))
const mended = await Promise.all(services(true).map((service) => mesh.start(service)))

const few = { filter: { handler: 'maas' }, reason: 'the address is there now', limits: { perSecond: 500 } }
await ask(console, '/runs', { body: few })
const { body: run } = await ask(console, '/runs', {
  body: { filter: { handler: 'dmitri' }, reason: 'the cities are known now', limits: { perSecond: 8 } },
})
await eventually(async () => {
  const { body } = await ask(console, `/runs/${run['id'] as string}`)
  return (body['counts'] as { ok: number }).ok > 14
})
const runPath = `/runs/${run['id'] as string}`
await picture('run', runPath)
await ask(console, `${runPath}/cancel`, { method: 'POST' })
await ask(console, '/handlers/provider/senninha/pause', {
  body: { reason: 'Senninha moves its database', forMs: 7_200_000 },
})
await eventually(async () => {
  const { handlers } = (await ask(console, '/handlers')).body as { handlers: { paused: unknown }[] }
  return handlers.some(({ paused }) => paused !== null)
})
const [letter] = operations.letters.list({ handler: 'senninha' }, { limit: 1 }).letters
await picture('letters', '/letters?state=open')
await picture('letters-dark', '/letters?state=open', { colorScheme: 'dark' })
await picture('letters-phone', '/letters?state=open', { viewport: { width: 390, height: 780 } })
await picture('letter', `/letters/${letter!.seq}`)
await picture('redrive', '/redrive?service=city-registration')
await picture('edit', `/letters/${letter!.seq}/edit`, {}, async (page) => {
  const editor = page.getByRole('textbox', { name: 'Payload to be sent' })
  const text = await editor.innerText()
  await editor.focus()
  await page.keyboard.press('ControlOrMeta+a')
  await page.keyboard.insertText(text.replace(/"capacity": \d+/, '"capacity": 900'))
  await page.getByLabel('Reason').fill("the contract's most is 900")
  await page.getByRole('button', { name: 'Check it' }).click()
  await page.locator('.changes').waitFor()
  await page.locator('[aria-disabled=true]').waitFor({ state: 'detached' })
})
await picture(
  'replay',
  '/replay?service=provider&handler=maas&type=center.registered&reason=MaaS+lost+them&counted=yes',
)
await picture('send', '/send?type=center.registered', {}, async (page) => {
  const fields = { centerId: 'ctr_2001', name: 'Distribution centre Olinda', city: 'Olinda', capacity: 'many' }
  for (const [label, text] of Object.entries(fields)) await page.getByLabel(label, { exact: true }).fill(text)
  await page.getByRole('button', { name: 'Check it' }).click()
  await page.getByRole('alert').getByText('must be number').waitFor()
})
await picture('runs', '/runs')
await picture('handlers', '/handlers')
await eventually(async () => ((await ask(console, '/events?limit=20')).body['events'] as unknown[]).length === 20)
await picture('journey', `/journey?of=${encodeURIComponent(letter!.id ?? '')}`)
await picture('events', '/events?type=center.registered&stream=CENTERS')
await picture('audit', '/audit')
await Promise.all(mended.map((one) => one.stop()))

/** @param prepare What is done on the page before. */
type PictureOptions = NonNullable<Parameters<typeof browser.newPage>[0]> & {
  /** Of what is to be there. */
  until?: string
  /** Until there is something to see in a chart. */
  settleMs?: number
}

async function picture(
  name: string,
  path: string,
  { until, settleMs, ...options }: PictureOptions = {},
  prepare?: (page: Page) => Promise<void>,
): Promise<void> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, colorScheme: 'light', ...options })
  await page.goto(console.url + path)
  await page.locator('main h1').waitFor()
  await page.locator('.live.on').waitFor()
  if (settleMs) await page.waitForTimeout(settleMs)
  if (until) await page.locator(until).first().waitFor()
  await untilLoaded(page)
  await prepare?.(page)
  await page.screenshot({ path: join(folder, `${name}.png`) })
  await page.close()
}
