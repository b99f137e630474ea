import { once } from 'node:events'
import { connectMesh } from '@malha/mesh'
import { serveHealth, startTelemetry, type Telemetry } from '@malha/telemetry'
import manifest from '../package.json' with { type: 'json' }
import { serviceConfig } from './config.ts'
import { buildApp } from './http/app.ts'
import { closeGracefully } from './http/close.ts'
import { meshCenters } from './mesh/mesh-centers.ts'
import { openReadModel } from './read-model.ts'
import { distributionCenter } from './service.ts'

const { version } = manifest
const stopping = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort())

await using telemetry = startTelemetry({ service: 'distribution-center', version, env: process.env })
try {
  await serve(telemetry)
} catch (err) {
  telemetry.log.fatal({ err }, 'distribution-center ended')
  process.exitCode = 1
}

/** Ends in this order: not ready, no new requests, those at work answered, handlers drained, connection closed. */
async function serve({ log, metrics }: Telemetry): Promise<void> {
  const config = serviceConfig(process.env)
  await using mesh = await connectMesh({ ...config.mesh, logger: log, metrics })
  let isListening = false
  const lifecycle = (): string | undefined => {
    if (stopping.signal.aborted) return 'shutting down'
    return isListening ? undefined : 'not listening yet'
  }
  await using _health = await serveHealth({ ...config.health, mesh, metrics, checks: { lifecycle } })

  const readModel = await openReadModel(mesh)
  const running = await mesh.start(distributionCenter(readModel, version))
  const centers = meshCenters({ mesh, ...readModel })
  const app = await buildApp({ centers, logger: log, metrics, version })
  const url = await app.listen(config.http)
  isListening = true
  log.info({ url }, 'distribution-center serves')

  if (!stopping.signal.aborted) await Promise.race([once(stopping.signal, 'abort'), running.stopped])
  await closeGracefully(app)
  await running.stop()
  if (!stopping.signal.aborted) throw new Error('the handlers ended by themselves; the lines before say why')
  log.info({}, 'distribution-center stopped')
}
