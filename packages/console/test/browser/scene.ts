import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { archiveStreams, type RunningArchive } from '@malha/archive'
import { connectMesh, getStored, type Mesh, meshOptions, type RunningService } from '@malha/mesh'
import { openOperations } from '@malha/operations'
import { type ClickHouseServer, startClickHouse } from '@malha/stack'
import { eventually, testServer } from '@malha/testing'
import { jetstream } from '@nats-io/jetstream'
import { headers as natsHeaders } from '@nats-io/nats-core'
import type { Browser, Page } from 'playwright-core'
import { type Console, type ConsoleOptions, startConsole } from '../../src/index.ts'
import { launchChromium } from '../chromium.ts'
import { placed, shop } from '../shop.ts'

/** What tries to act on the page it is shown in. */
export const HOSTILE = `<img src=x onerror="document.title='taken'"><script>document.title='taken'</script> \u001B[31m \u202Egnp.exe \u2028{{7*7}} %00 "'&lt;`

/** A mesh with dead letters of every kind, its archive, a console, and a browser. */
export interface Scene extends AsyncDisposable {
  readonly mesh: Mesh
  readonly console: Console
  /** Undefined of a scene without an archive. */
  readonly clickhouse: ClickHouseServer | undefined
  readonly browser: Browser
  /** What pages said went wrong: scripts that were refused, errors. */
  readonly faults: string[]
  /** A page of its own, as a new visitor has it. */
  open(path: string, options?: Parameters<Browser['newPage']>[0]): Promise<Page>
  /** A shop that bills from now on. */
  mend(): Promise<RunningService>
  /** The last event of a stream. */
  stored(stream: string): Promise<{ id: string | undefined; data: unknown }>
  startConsole(options: Omit<ConsoleOptions, 'mesh'>): Promise<Console>
}

/** @param failing How many orders fail alike. */
export async function openScene({
  failing,
  hasArchive = true,
}: {
  failing: number
  hasArchive?: boolean
}): Promise<Scene> {
  await using parts = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'console-scene-'))
  parts.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const server = parts.use(await testServer())
  const [clickhouse, browser] = await Promise.all([
    hasArchive ? startClickHouse({ dataDir: folder }) : undefined,
    launchChromium(),
  ])
  parts.defer(() => browser.close())
  parts.defer(() => clickhouse?.stop())
  const mesh = parts.use(await connectMesh(meshOptions({ NATS_URL: server.url })))
  const place = clickhouse && { url: clickhouse.url }
  const archive: RunningArchive | undefined = place && archiveStreams({ nats: mesh.nats, namespace: '' }, place)
  parts.defer(() => archive?.stop())
  await letDie(mesh, failing)
  const options = { port: 0, role: 'operator', who: 'on-call', clickhouse: place, sendsEvents: true } as const
  const console = parts.use(await startConsole({ ...options, mesh }))
  const faults: string[] = []
  const kept = parts.move()
  return {
    mesh,
    console,
    clickhouse,
    browser,
    faults,
    async stored(stream) {
      const stored = await getStored(mesh.nats, mesh.names.stream(stream), { last_by_subj: '>' })
      return { id: stored?.headers['ce-id'], data: stored && JSON.parse(Buffer.from(stored.payload).toString()) }
    },
    open: (path, pageOptions) => openPage({ browser, faults, url: console.url }, path, pageOptions),
    mend: () => mesh.start(shop({ isMended: true })),
    startConsole: (more) => startConsole({ ...more, mesh }),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

type Place = { browser: Browser; faults: string[]; url: string }

/** A page of its own; what goes wrong there is a fault. */
export async function openPage(
  { browser, faults, url }: Place,
  path: string,
  options?: Parameters<Browser['newPage']>[0],
): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options })
  page.setDefaultTimeout(10_000)
  page.on('pageerror', ({ message }) => faults.push(message))
  page.on('dialog', (dialog) => faults.push(`a dialog: ${dialog.message()}`))
  page.on('console', (message) => {
    // A refusal that is answered with its reason is no fault of the page.
    const isRefusal = /the server responded with a status of (4|503)/.test(message.text())
    if (message.type() === 'error' && !isRefusal) faults.push(message.text())
  })
  await page.goto(new URL(path, url).href)
  return page
}

/** Letter 1 is hostile, 2 is large, 3 is of bytes; then come those that failed alike. */
async function letDie(mesh: Mesh, failing: number): Promise<void> {
  const running = await mesh.start(shop())
  using operations = await openOperations(mesh)
  const untilLetters = async (count: number): Promise<unknown> =>
    await eventually(async () => {
      await operations.letters.refresh()
      return operations.letters.list().total === count
    })
  await mesh.publish(placed, { n: HOSTILE.slice(0, 40), why: HOSTILE })
  await untilLetters(1)
  await mesh.publish(placed, { n: 'o-large', why: `no room for ${'x'.repeat(900_000)}` })
  await untilLetters(2)
  const head = natsHeaders()
  const attributes = { 'ce-specversion': '1.0', 'ce-id': 'bytes-1', 'ce-type': placed.type, 'ce-source': '/test' }
  for (const [name, value] of Object.entries(attributes)) head.set(name, value)
  await jetstream(mesh.nats).publish('order.placed.0.bytes', new Uint8Array([0, 255, 60, 98, 62]), { headers: head })
  await untilLetters(3)
  for (let n = 1; n <= failing; n++) await mesh.publish(placed, { n: `o-${n}`, why: `city ${n} is unknown` })
  await untilLetters(failing + 3)
  await running.stop()
}
