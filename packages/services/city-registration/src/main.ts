import { connectMesh } from '@malha/mesh'
import { partnerClient, runMain } from '@malha/partner-client'
import { serveHealth, startTelemetry } from '@malha/telemetry'
import manifest from '../package.json' with { type: 'json' }
import { cityRegistrationConfig } from './config.ts'
import { cityRegistration } from './service.ts'

const { version } = manifest

await runMain('city-registration', async (stopping) => {
  await using telemetry = startTelemetry({ service: 'city-registration', version, env: process.env })
  const { log, metrics } = telemetry
  const config = cityRegistrationConfig(process.env)
  await using dmitri = partnerClient(config.dmitri)
  await using mesh = await connectMesh({ ...config.mesh, logger: log, metrics })
  const checks = { lifecycle: () => (stopping.aborted ? 'shutting down' : undefined) }
  await using _health = await serveHealth({ ...config.health, mesh, metrics, checks })
  await mesh.run(cityRegistration(dmitri, version), { signal: stopping })
  log.info({}, 'city-registration stopped')
})
