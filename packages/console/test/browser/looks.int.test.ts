import { readFile } from 'node:fs/promises'
import { connectMesh, meshOptions } from '@malha/mesh'
import { jaegerLinks } from '@malha/stack'
import { eventually } from '@malha/testing'
import { jetstream } from '@nats-io/jetstream'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startConsole } from '../../src/index.ts'
import { ask } from '../asking.ts'
import { untilLoaded } from '../loaded.ts'
import { expectAccessible, expectToFit } from './accessible.ts'
import { type LooksScene, openLooks } from './looks-scene.ts'
import { HOSTILE, openPage } from './scene.ts'

let scene: LooksScene

beforeAll(async () => {
  scene = await openLooks()
})

afterAll(async () => await scene[Symbol.asyncDispose]())

const open = async (path: string, options?: Parameters<typeof openPage>[2]): Promise<Page> =>
  await openPage({ browser: scene.browser, faults: scene.faults, url: scene.console.url }, path, options)

type Steps = { steps: { kind: string; tookMs?: number | null }[]; traces: string[] }

/** What is known of a centre, once both attempts of `senninha` and their spans are. */
async function journeyOf(id: string): Promise<Steps> {
  return await eventually(async () => {
    const { body } = await ask(scene.console, `/journey?of=${id}`)
    const { steps, traces } = body as Steps
    expect(steps.filter(({ kind, tookMs }) => kind === 'attempt' && tookMs !== null).length).toBeGreaterThan(2)
    return { steps, traces }
  })
}

describe('the mesh in a browser', () => {
  it('is the first page: who publishes, what, who hears it, what flows, and in red what fails', async () => {
    await using page = await open('/')
    await page.getByRole('heading', { name: 'The mesh' }).waitFor()
    expect(page.url()).toContain('/topology')
    const failing = page.getByRole('link', { name: /^!?\s*maas of provider, failing: dead letters grow/ })
    let n = 0
    await eventually(
      async () => {
        await scene.publish(`flow-${n++}`)
        await failing.waitFor({ timeout: 500 })
      },
      { timeoutMs: 30_000, intervalMs: 200 },
    )
    await page.locator('.edge.failing').first().waitFor({ state: 'attached' })
    expect(await page.locator('.node.service bdi').allInnerTexts()).toEqual(
      expect.arrayContaining(['distribution-center', 'provider']),
    )
    expect(await page.locator('.node.subject').allInnerTexts()).toEqual(
      expect.arrayContaining(['center.registered', 'provider.created']),
    )
    await page
      .locator('.group-label', { hasText: 'CENTERS' })
      .getByText(/^\d+(\.\d+)?\/s$/)
      .waitFor()
    // What each service publishes flows, and is said to whoever does not see the lines.
    for (const [service, type] of [
      ['distribution-center', 'center.registered'],
      ['provider', 'provider.created'],
    ])
      await page
        .locator('.node.service', { hasText: new RegExp(`^${service}\\s+publishes ${type}, now (?!0/s)[0-9.]+/s$`) })
        .waitFor()
    expect(await page.locator('.edge-rate.runs').allTextContents()).toHaveLength(2)
    await page.getByText(/grew in that time by at least 10 messages and 10 %/).waitFor()
    // By keyboard to the handler, and to its letters.
    await failing.focus()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'provider/maas' }).waitFor()
    await page.getByRole('link', { name: /^\d+ open$/ }).click()
    await page.getByText('Why they failed').waitFor()
    expect(page.url()).toContain('handler=maas')
  })

  it('has the line red, broken and named along which a service cannot publish', async () => {
    await using page = await open('/topology')
    const line = page.locator('.edge-rate.failing', { hasText: /^! .*\/s fail$/ })
    await eventually(
      async () => {
        await expect(scene.publish('too-large', { headers: { 'x-large': 'x'.repeat(60_000) } })).rejects.toThrow(
          'MESH_PAYLOAD_TOO_LARGE',
        )
        await line.waitFor({ state: 'attached', timeout: 500 })
      },
      { timeoutMs: 30_000, intervalMs: 200 },
    )
    await page.getByText(/center\.registered of distribution-center: [0-9.]+\/s not stored/).waitFor()
    await page.getByRole('link', { name: 'Table' }).click()
    const row = page.locator('tbody tr', { hasText: 'provider/senninha' })
    expect(await row.locator('td').first().innerText()).toMatch(/^distribution-center ! .* fail$/)
  })

  it('is a table for who does not see it, and paused handlers are marked in both', async () => {
    const pause = { reason: HOSTILE, forMs: 3_600_000 }
    expect((await ask(scene.console, '/handlers/provider/senninha/pause', { body: pause })).status).toBe(200)
    await using page = await open('/topology')
    await page.getByRole('link', { name: /senninha of provider, paused: paused by on-call/ }).waitFor()
    await page.getByRole('link', { name: 'Table' }).click()
    const row = page.locator('tbody tr', { hasText: 'provider/senninha' })
    await row.locator('.badge.paused').waitFor()
    expect(await row.innerText()).toContain('center.registered')
    expect(page.url()).toContain('as=table')
    expect(await page.locator('main img, main script').count()).toBe(0)
    await ask(scene.console, '/handlers/provider/senninha/resume', { method: 'POST' })
    await row.locator('.badge.paused').waitFor({ state: 'detached' })
  })
})

describe('a handler in a browser', () => {
  it('has its charts, its limits, its stream and its buttons at an address of its own', async () => {
    await using page = await open('/handlers/distribution-center/provider')
    await page.locator('.chart canvas').first().waitFor()
    expect(await page.locator('.chart canvas').count()).toBe(3)
    const chart = page.getByRole('img', { name: /^Messages a second: done now .*; failed now / })
    await eventually(async () => {
      await scene.publish(`chart-${Date.now()}`)
      await chart.waitFor({ timeout: 500 })
    })
    for (const fact of ['10 attempts at most', 'Ack wait', 'PARTNERS', 'Redelivered'])
      await page.getByText(fact).first().waitFor()
    await page.getByRole('button', { name: 'Pause…' }).click()
    await page.getByLabel('Reason').fill('moved')
    await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click()
    await page.locator('.badge.paused').waitFor()
    await page.getByRole('button', { name: 'Resume' }).click()
    await page.locator('.badge.paused').waitFor({ state: 'detached' })
    await page.goto(`${scene.console.url}/handlers/distribution-center/none`)
    await page.getByText('OPERATIONS_NO_HANDLER').waitFor()
  })
})

describe('a journey in a browser', () => {
  it('is a waterfall with every attempt and how long it took, and leads to its trace', async () => {
    await scene.publish('c-17')
    const { traces } = await journeyOf('c-17')
    await using page = await open('/journey?of=c-17')
    await page.locator('.waterfall').waitFor()
    await page
      .locator('.headline')
      .getByText(/is dead letter \d+ of provider\/maas/)
      .waitFor()
    for (const kind of ['stored', 'ran', 'failed', 'waits'])
      await page.locator(`.waterfall .bars .${kind}`).first().waitFor({ state: 'attached' })
    await page
      .getByText(/attempt 1 failed, took \d+/)
      .first()
      .waitFor()
    await page
      .getByText(/attempt 2 ended well, took \d+/)
      .first()
      .waitFor()
    const link = page.getByRole('link', { name: 'Open in Jaeger' }).first()
    expect(await link.getAttribute('href')).toBe(`${scene.traces.queryUrl}/trace/${traces[0]}`)
    await page
      .locator('.headline')
      .getByRole('link', { name: /^letter \d+$/ })
      .click()
    await page.getByRole('heading', { name: /^Letter \d+/ }).waitFor()
  })

  it('is where the links lead that Jaeger makes of its configuration, as the page about it shows', async () => {
    await scene.publish('c-18')
    const { traces } = await journeyOf('c-18')
    const guide = await readFile(new URL('../../../../docs/how-to/use-the-console.md', import.meta.url), 'utf8')
    const shown = /```json\n([^]*?linkPatterns[^]*?)```/.exec(guide)![1]!
    expect(JSON.parse(shown)).toEqual(jaegerLinks('https://console.example.org'))
    const spans = await (await fetch(`${scene.traces.queryUrl}/api/v3/traces/${traces[0]}`)).text()
    const id = /"mesh\.message\.id","value":\{"stringValue":"([^"]+)"/.exec(spans)![1]!
    const values: Record<string, string> = { traceID: traces[0]!, 'mesh.message.id': id }
    await using page = await open('/topology')
    for (const { url } of jaegerLinks(scene.console.url).linkPatterns) {
      await page.goto(url.replaceAll(/#\{([^}]+)\}/g, (_, name: string) => encodeURIComponent(values[name]!)))
      await page
        .locator('.headline')
        .getByText(/provider\/maas/)
        .waitFor()
      await page.locator('.waterfall').getByText('center.registered').first().waitFor()
      await page.locator('.waterfall').getByText('c-18').first().waitFor()
    }
  })

  it('says that traces cannot be read, and shows the rest', async () => {
    await using mesh = await connectMesh({
      ...meshOptions({ NATS_URL: scene.mesh.nats.getServer() }),
      topology: 'none',
    })
    await using console = await startConsole({ mesh, port: 0, tracesUrl: 'http://127.0.0.1:1' })
    await using page = await open(`${console.url}/journey?of=c-17`)
    await page.getByText(/Not looked at: trace .*127\.0\.0\.1:1 does not answer/).waitFor()
    await page.locator('.waterfall .bars .failed').first().waitFor({ state: 'attached' })
    expect(await page.getByRole('link', { name: 'Open in Jaeger' }).count()).toBe(0)
    await page.getByRole('link', { name: 'Open the trace' }).first().waitFor()
  })
})

describe('limits in a browser', () => {
  it('are shown with what is left of them, and what the doctor finds with what to do', async () => {
    await using page = await open('/limits')
    await page.getByRole('table', { name: 'Streams and their limits' }).getByText('CENTERS').waitFor()
    await page.getByRole('link', { name: 'provider/maas' }).first().waitFor()
    await page.getByText('storage on file').waitFor()
    await page.getByRole('button', { name: 'Look again' }).click()
    await page.getByText(/found all well/).click()
    expect(await page.locator('details .findings').innerText()).toContain('JetStream')
  })
})

describe('every look', () => {
  const PAGES = [
    '/topology',
    '/topology?as=table',
    '/handlers',
    '/handlers/provider/maas',
    '/limits',
    '/journey?of=c-17',
  ]

  it('shows what others wrote as text, wherever it stands', async () => {
    const contract = {
      type: HOSTILE,
      kind: 'event',
      version: 1,
      stream: { name: 'CENTERS', partitions: 16 },
      key: null,
    }
    const record = {
      v: 1,
      service: HOSTILE,
      version: '1',
      handlers: [],
      replies: [],
      publishes: [HOSTILE],
      retired: [],
      contracts: [contract],
      untold: [],
    }
    await jetstream(scene.mesh.nats).publish('$KV.MESH_CONTRACTS.hostile', JSON.stringify(record))
    await using page = await open('/topology')
    // What services say is read every ten seconds.
    await page.locator('.node.subject', { hasText: 'U+202E' }).waitFor({ timeout: 20_000 })
    await page.locator('.node.service', { hasText: '<script>' }).waitFor()
    for (const path of [
      '/topology?as=table',
      `/handlers/${encodeURIComponent(HOSTILE)}/x`,
      `/journey?of=${encodeURIComponent(HOSTILE)}`,
      '/limits',
    ]) {
      await page.goto(scene.console.url + path)
      await untilLoaded(page)
      expect(await page.title()).not.toBe('taken')
      expect(await page.locator('main img, main script').count()).toBe(0)
    }
  })

  it.each(['light', 'dark'] as const)('keeps nobody out, in %s', async (colorScheme) => {
    await using page = await open('/topology', { colorScheme })
    for (const path of PAGES) {
      await page.goto(scene.console.url + path)
      await untilLoaded(page)
      await expectAccessible(page, path)
    }
  })

  it('fits on a phone, where fingers hit what they mean', async () => {
    await using page = await open('/topology', { viewport: { width: 390, height: 780 } })
    for (const path of PAGES) {
      await page.goto(scene.console.url + path)
      await untilLoaded(page)
      await expectToFit(page, path)
      await expectAccessible(page, path, ['target-size'])
    }
  })

  it('ran no script of anybody else, had none refused, and failed nowhere', () => {
    expect(scene.faults).toEqual([])
  })
})
