import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connectMesh } from '@malha/mesh'
import { healthAddress, serveHealth, startTelemetry } from '@malha/telemetry'
import { consoleConfig } from './config.ts'
import { startConsole } from './start-console.ts'

const stopping = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort())

async function main(): Promise<void> {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  const { version } = JSON.parse(manifest) as { version: string }
  const config = consoleConfig(process.env)
  // By this name a password from a file, too, is kept out of every line of the log and every span.
  const env = { ...process.env, CLICKHOUSE_PASSWORD: config.console.clickhouse?.password }
  await using telemetry = startTelemetry({ service: 'console', version, env })
  const { log, metrics } = telemetry
  await using mesh = await connectMesh({ ...config.mesh, logger: log, metrics })
  await using console = await startConsole({ ...config.console, mesh, log })
  const checks = { lifecycle: () => (stopping.signal.aborted ? 'shutting down' : undefined) }
  await using _health = process.env['HEALTH_PORT']
    ? await serveHealth({ ...healthAddress(process.env), mesh, metrics, checks })
    : undefined
  log.info({ url: console.url }, 'console serves')
  if (!stopping.signal.aborted) await once(stopping.signal, 'abort')
  log.info({}, 'console stops')
}

try {
  await main()
} catch (error) {
  const msg = error instanceof Error ? error.message : String(error)
  const line = { level: 'fatal', time: new Date().toISOString(), name: 'console', pid: process.pid, msg }
  process.stdout.write(`${JSON.stringify(line)}\n`)
  process.exitCode = 1
}
