import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connectMesh } from '@malha/mesh'
import { startTelemetry } from '@malha/telemetry'
import { consoleConfig } from './config.ts'
import { startConsole } from './start-console.ts'

const stopping = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort())

async function main(): Promise<void> {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  const { version } = JSON.parse(manifest) as { version: string }
  await using telemetry = startTelemetry({ service: 'console', version, env: process.env })
  const { log } = telemetry
  const config = consoleConfig(process.env)
  await using mesh = await connectMesh({ ...config.mesh, logger: log })
  await using console = await startConsole({ ...config.console, mesh, log })
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
