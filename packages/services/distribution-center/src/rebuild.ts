import { parseArgs } from 'node:util'
import { clickHouseOptions } from '@malha/archive'
import { connectMesh, meshOptions } from '@malha/mesh'
import { startTelemetry } from '@malha/telemetry'
import { rebuildStatus, replaceStatus } from './mesh/rebuild-status.ts'
import { openReadModel } from './read-model.ts'

// `node src/rebuild.ts [--archive] [--replace [--accept-missing]]` with the environment of the service, which may go on running.
await using telemetry = startTelemetry({ service: 'distribution-center-rebuild', env: process.env })
const { log } = telemetry
const flag = { type: 'boolean', default: false } as const
try {
  const { values } = parseArgs({ options: { archive: flag, replace: flag, 'accept-missing': flag } })
  const archive = values.archive ? clickHouseOptions(process.env) : undefined
  // The spool is the service's, which may be running.
  const { spool: _, ...options } = meshOptions(process.env)
  await using mesh = await connectMesh({ ...options, logger: log })
  const report = values.replace
    ? await replaceStatus({ mesh, archive, acceptMissing: values['accept-missing'] })
    : await rebuildStatus({ mesh, archive, ...(await openReadModel(mesh)) })
  if (report.missing.length > 0)
    log.warn({ missing: report.missing }, 'of these events nothing is known: what only they said is not in the status')
  log.info(report, 'the status of every centre is rebuilt')
} catch (err) {
  log.fatal({ err }, 'the status was not rebuilt; what was written is right, run it again')
  process.exitCode = 1
}
