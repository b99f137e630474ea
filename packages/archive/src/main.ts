import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connectMesh } from '@malha/mesh'
import { serveHealth, startTelemetry } from '@malha/telemetry'
import { archiveStreams } from './archive-streams.ts'
import { archiveConfig } from './config.ts'

const stopping = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort())

async function main(): Promise<void> {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  const { version } = JSON.parse(manifest) as { version: string }
  const config = archiveConfig(process.env)
  // By this name a password from a file, too, is kept out of every line of the log and every span.
  const env = { ...process.env, CLICKHOUSE_PASSWORD: config.clickhouse.password }
  await using telemetry = startTelemetry({ service: 'archive', version, env })
  const { log, metrics } = telemetry
  await using mesh = await connectMesh({ ...config.mesh, logger: log, metrics })
  const source = { nats: mesh.nats, namespace: config.mesh.namespace ?? '' }
  const { replicas, topology } = config.mesh
  await using archive = archiveStreams(source, config.clickhouse, {
    log,
    metrics,
    ...(replicas === undefined ? {} : { replicas }),
    ...(topology === undefined ? {} : { topology }),
  })
  const checks = {
    lifecycle: () => (stopping.signal.aborted ? 'shutting down' : undefined),
    archive: () => archive.health().reasons.join('; '),
  }
  await using _health = await serveHealth({ ...config.health, mesh, metrics, checks })
  if (!stopping.signal.aborted) await once(stopping.signal, 'abort')
  await archive.stop()
  log.info({}, 'archive stopped')
}

try {
  await main()
} catch (error) {
  const msg = error instanceof Error ? error.message : String(error)
  const line = { level: 'fatal', time: new Date().toISOString(), name: 'archive', pid: process.pid, msg }
  process.stdout.write(`${JSON.stringify(line)}\n`)
  process.exitCode = 1
}
