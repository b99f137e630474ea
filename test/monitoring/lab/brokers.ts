import { createConnection, type Socket } from 'node:net'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectMesh, defineService, event, on, type RunningService, stream } from '@malha/mesh'
import { freePorts, spawnChild, startNats } from '@malha/stack'
import { eventually, type TestServer } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { z } from 'zod'
import type { Lab } from './fault.ts'
import { repeater } from './repeat.ts'

const work = stream('WORK', { subjects: ['work.>'] })
const todo = event('work.todo', { stream: work, schema: z.object({}) })
const worker = defineService('worker', { handlers: { work: on(todo, { startFrom: 'all' }, () => undefined) } })
const MEGABYTE = new Uint8Array(1_000_000)
const SMALL_BYTES = 8 * 1024 * 1024

/** What only brokers say, by the exporter. */
export async function brokerLab(bin: string, server: TestServer): Promise<Lab> {
  await using opening = new AsyncDisposableStack()
  const mesh = opening.use(await connectMesh({ servers: [server.url] }))
  let running: RunningService = await mesh.start(worker)
  const jsm = await jetstreamManager(mesh.nats)
  const asking = repeater(100, () => jsm.consumers.info('WORK', 'nobody'))
  opening.defer(() => asking.stop())
  let reader: Socket | undefined
  opening.defer(() => void reader?.destroy())
  const small = opening.use(await smallServer(bin))
  const exporter = opening.use(await startExporter(bin, server.monitorUrl))
  const rest = opening.move()
  return {
    targets: [exporter.address, ...small.targets],
    faults: [
      {
        alerts: ['ConsumerUnattended'],
        async begin() {
          await running.stop()
          await mesh.publish(todo, {})
        },
        end: async () => void (running = await mesh.start(worker)),
      },
      { alerts: ['JetStreamApiErrors'], begin: async () => asking.start(), end: () => asking.stop() },
      {
        // It subscribes and never reads: 64 MiB are held for it, then it is cut off.
        alerts: ['SlowConsumers'],
        async begin() {
          reader = createConnection(server.port, '127.0.0.1')
          reader.on('error', () => {})
          reader.pause()
          reader.write('CONNECT {"verbose":false}\r\nSUB flood 1\r\n')
          await mesh.nats.flush()
          for (let n = 0; n < 150; n += 1) {
            mesh.nats.publish('flood', MEGABYTE)
            await mesh.nats.flush()
          }
        },
        end: async () => void reader?.destroy(),
      },
      ...small.faults,
    ],
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  }
}

/** The exporter of one server. @param wanted its port, else a free one */
export async function startExporter(
  bin: string,
  monitorUrl: string,
  wanted?: number,
): Promise<AsyncDisposable & { address: string }> {
  const port = wanted ?? (await freePorts(1))[0]!
  const address = `127.0.0.1:${port}`
  const args = ['-addr', '127.0.0.1', '-port', String(port), '-varz', '-jsz=all', monitorUrl]
  const child = spawnChild({ command: bin, args })
  await eventually(async () => (await fetch(`http://${address}/metrics`)).ok)
  return { address, [Symbol.asyncDispose]: async () => void (await child.stop()) }
}

/** A server with little room. */
async function smallServer(bin: string): Promise<Lab> {
  await using opening = new AsyncDisposableStack()
  const dataDir = await mkdtemp(join(tmpdir(), 'malha-small-'))
  opening.defer(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }))
  const server = await startNats({ dataDir, maxStoreBytes: SMALL_BYTES })
  opening.defer(() => server.stop())
  const line = await connect({ servers: server.url })
  opening.defer(() => line.close())
  const jsm = await jetstreamManager(line)
  await jsm.streams.add({ name: 'FULL', subjects: ['full'] })
  const exporter = opening.use(await startExporter(bin, server.monitorUrl))
  const rest = opening.move()
  return {
    targets: [exporter.address],
    faults: [
      {
        alerts: ['JetStreamStorageFull'],
        begin: async () => {
          for (let n = 0; n < 7; n += 1) await jsm.jetstream().publish('full', MEGABYTE)
        },
        end: async () => void (await jsm.streams.purge('FULL')),
      },
    ],
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  }
}
