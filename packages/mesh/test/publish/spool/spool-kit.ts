import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Contract,
  defineService,
  event,
  type Logger,
  minutes,
  type ServiceDef,
  stream,
  type StreamDef,
} from '@malha/mesh'
import { type TestMesh, testMesh, type TestServer, testServer } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { z } from 'zod'

export const orders: StreamDef = stream('ORDERS', { subjects: ['order.>'], maxAgeMs: minutes(60), maxBytes: 2 ** 26 })
export const audits: StreamDef = stream('AUDITS', { subjects: ['checkup.>'], maxAgeMs: minutes(60), maxBytes: 2 ** 24 })
const Order = z.object({ orderId: z.string(), n: z.number(), text: z.string().optional() })
export type Order = z.infer<typeof Order>
export const placed: Contract<Order> = event('order.placed', {
  stream: orders,
  schema: Order,
  key: ({ orderId }) => orderId,
})
/** Has no key: all of them are on one subject. */
export const noted: Contract<Order> = event('order.noted', { stream: orders, schema: Order })
export const audited: Contract<Order> = event('checkup.written', { stream: audits, schema: Order })

export const order = (n: number): Order => ({ orderId: `o${n % 7}`, n })

/** Makes the streams. */
export const shop: ServiceDef = defineService('shop', { handlers: {}, publishes: [placed, noted, audited] })

/** A folder that goes with the test. */
export function tempFolder(): Disposable & { path: string; file: string } {
  const path = mkdtempSync(join(tmpdir(), 'malha-spool-'))
  return {
    path,
    file: join(path, 'spool.db'),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  }
}

/** A mesh whose streams were made, whose broker is away since, and the file for a spool. */
export async function brokerAway(): Promise<AsyncDisposable & { file: string; server: TestServer; t: TestMesh }> {
  await using opened = new AsyncDisposableStack()
  const { file } = opened.use(tempFolder())
  const server = opened.use(await testServer())
  const t = opened.use(await testMesh({ server }))
  await t.mesh.provision(shop)
  await server.kill()
  const all = opened.move()
  return { file, server, t, [Symbol.asyncDispose]: () => all.disposeAsync() }
}

export type Line = { level: string; message: string } & Record<string, unknown>

/** A logger that keeps its lines. */
export function linesOf(): { lines: Line[]; logger: Logger } {
  const lines: Line[] = []
  const at =
    (level: string) =>
    (fields: object, message: string): void =>
      void lines.push({ ...fields, level, message })
  return { lines, logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } }
}

export type Stored = { subject: string; id: string; n: number; headers: Record<string, string> }

/** What a stream of the test's namespace holds, oldest first. */
export async function storedIn(
  { nats, mesh }: Pick<TestMesh, 'nats' | 'mesh'>,
  def: StreamDef | string,
): Promise<Stored[]> {
  const jsm = await jetstreamManager(nats, { timeout: 1000 })
  const name = mesh.names.stream(def)
  const { state } = await jsm.streams.info(name)
  const seqs = Array.from({ length: state.last_seq }, (_, index) => index + 1)
  const found = await Promise.all(seqs.map((seq) => jsm.streams.getMessage(name, { seq })))
  return found
    .filter((one) => one !== null)
    .map((one) => {
      const headers = Object.fromEntries([...one.header].map(([key, values]) => [key, values[0] ?? '']))
      return { subject: one.subject, id: headers['ce-id'] ?? '', n: numberIn(one.data), headers }
    })
}

function numberIn(data: Uint8Array): number {
  try {
    return (JSON.parse(Buffer.from(data).toString()) as Order).n
  } catch {
    return Number.NaN
  }
}
