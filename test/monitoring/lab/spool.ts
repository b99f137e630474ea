import { mkdtemp, rm } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectMesh, defineService, event, type Mesh, type MeshOptions, stream } from '@malha/mesh'
import { prometheusMetrics, serveHealth } from '@malha/telemetry'
import { type TestServer, testServer } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { z } from 'zod'
import type { Fault, Lab } from './fault.ts'

const Data = z.object({ text: z.string() })
const spooled = stream('SPOOLED', { subjects: ['spooled.>'] })
const kept = event('spooled.kept', { stream: spooled, schema: Data })
const spooler = defineService('spooler', { handlers: {}, publishes: [kept] })
const text = 'x'.repeat(6000)
const SPOOL_BYTES = 64 * 1024

/** A process with a spool, on a broker of its own that goes away. */
export function spoolLab(): Promise<Lab> {
  return spooling(({ server, mesh }) => ({
    alerts: ['SpoolOld', 'SpoolFilling'],
    async begin() {
      await server.kill()
      const most = Math.floor((SPOOL_BYTES * 0.95) / (text.length + 600))
      for (let n = 0; n < most; n += 1) await mesh().publish(kept, { text })
    },
    end: () => server.start(),
  }))
}

/** Another one, whose stream takes no event of that size when the broker is back. */
export function refusedSpoolLab(): Promise<Lab> {
  return spooling(({ server, mesh, file, restart }) => {
    const limit = async (bytes: number): Promise<void> => {
      const jsm = await jetstreamManager(mesh().nats)
      await jsm.streams.update('SPOOLED', { max_msg_size: bytes })
    }
    return {
      alerts: ['SpoolDead'],
      async begin() {
        await limit(1000)
        await server.kill()
        await mesh().publish(kept, { text })
        await server.start()
      },
      async end() {
        await limit(-1)
        await restart(async () => {
          // As docs/how-to/publish-while-the-broker-is-away.md has it.
          using spool = new DatabaseSync(file)
          spool.exec('DELETE FROM dead')
        })
      },
    }
  })
}

type Scene = {
  server: TestServer
  mesh: () => Mesh
  file: string
  /** Stops the service, does something to its file, and starts it again. */
  restart: (meanwhile: () => Promise<void>) => Promise<void>
}

async function spooling(faultOf: (scene: Scene) => Fault): Promise<Lab> {
  await using opening = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'malha-lab-'))
  opening.defer(() => rm(folder, { recursive: true, force: true }))
  const server = opening.use(await testServer())
  const metrics = prometheusMetrics({ service: 'spooling', version: '1.0.0' })
  const file = join(folder, 'spool.sqlite')
  const options: MeshOptions = { servers: [server.url], metrics, spool: { file, maxBytes: SPOOL_BYTES } }
  let mesh = await connectMesh(options)
  opening.defer(() => mesh[Symbol.asyncDispose]())
  await mesh.start(spooler)
  const restart = async (meanwhile: () => Promise<void>): Promise<void> => {
    await mesh[Symbol.asyncDispose]()
    await meanwhile()
    mesh = await connectMesh(options)
    await mesh.start(spooler)
  }
  const health = opening.use(await serveHealth({ port: 0, metrics }))
  const fault = faultOf({ server, mesh: () => mesh, file, restart })
  const rest = opening.move()
  return {
    targets: [`127.0.0.1:${health.port}`],
    faults: [fault],
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  }
}
