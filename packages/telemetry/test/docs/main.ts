// #region main
import { connectMesh, meshOptions, type ServiceDef } from '@malha/mesh'
import { healthAddress, serveHealth, startTelemetry } from '@malha/telemetry'

export async function run(service: ServiceDef): Promise<void> {
  const { name, version } = service
  await using telemetry = startTelemetry({ service: name, version, env: process.env })
  const { log, metrics } = telemetry
  await using mesh = await connectMesh({ ...meshOptions(process.env), logger: log, metrics })
  await using _health = await serveHealth({ ...healthAddress(process.env), mesh, metrics })
  await mesh.run(service)
}
// #endregion
