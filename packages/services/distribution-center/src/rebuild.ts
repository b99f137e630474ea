import { parseArgs } from 'node:util'
import { connectMesh, meshOptions } from '@malha/mesh'
import { startTelemetry } from '@malha/telemetry'
import { rebuildStatus } from './mesh/rebuild-status.ts'
import { openReadModel } from './read-model.ts'

// `node src/rebuild.ts [--replace]` with the environment of the service, which may go on running.
await using telemetry = startTelemetry({ service: 'distribution-center-rebuild', env: process.env })
const { log } = telemetry
try {
  const { values } = parseArgs({ options: { replace: { type: 'boolean', default: false } } })
  // The spool is the service's, which may be running.
  const { spool: _, ...options } = meshOptions(process.env)
  await using mesh = await connectMesh({ ...options, logger: log })
  const report = await rebuildStatus({ mesh, ...(await openReadModel(mesh)), replace: values.replace })
  log.info(report, 'the status of every centre is rebuilt from the streams')
} catch (err) {
  log.fatal({ err }, 'the status was not rebuilt; what was written is right, run it again')
  process.exitCode = 1
}
