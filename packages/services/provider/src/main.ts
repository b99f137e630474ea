import { connectMesh } from '@malha/mesh'
import { partnerClient, runMain } from '@malha/partner-client'
import { serveHealth, startTelemetry } from '@malha/telemetry'
import manifest from '../package.json' with { type: 'json' }
import { providerConfig } from './config.ts'
import { provider } from './service.ts'

const { version } = manifest

await runMain('provider', async (stopping) => {
  await using telemetry = startTelemetry({ service: 'provider', version, env: process.env })
  const { log, metrics } = telemetry
  const config = providerConfig(process.env)
  await using senninha = partnerClient(config.partners.senninha)
  await using maas = partnerClient(config.partners.maas)
  await using mesh = await connectMesh({ ...config.mesh, logger: log, metrics })
  const checks = { lifecycle: () => (stopping.aborted ? 'shutting down' : undefined) }
  await using _health = await serveHealth({ ...config.health, mesh, metrics, checks })
  await mesh.run(provider({ senninha, maas }, version), { signal: stopping })
  log.info({}, 'provider stopped')
})
