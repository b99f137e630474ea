import { execFile } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

/** Tools that run beside a mesh, by the variable that names where one is. */
const TOOLS = {
  prometheus: 'PROMETHEUS_BIN',
  promtool: 'PROMTOOL_BIN',
  'prometheus-nats-exporter': 'NATS_EXPORTER_BIN',
  jaeger: 'JAEGER_BIN',
  'otelcol-contrib': 'OTELCOL_BIN',
} as const
export type Tool = keyof typeof TOOLS

/** Prometheus 3.16; 2.42 is the oldest that the rules are for. */
const PROMETHEUS_VERSION = 'v0.316.0'

const cache = (): string =>
  join(
    process.env['MALHA_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'malha'),
    `prometheus-${PROMETHEUS_VERSION}`,
  )

/** Where a tool is: its variable, `PATH`, or what `install` put into the cache. Undefined where there is none. */
export function findTool(tool: Tool): string | undefined {
  const given = process.env[TOOLS[tool]]
  if (given) return given
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), cache()]
  return folders.map((folder) => join(folder, tool)).find((file) => isRunnable(file))
}

function isRunnable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/**
 * Builds Prometheus or promtool with Go into the cache, which takes minutes once. No registry that the tests otherwise need has
 * them ready to run.
 */
export async function installTool(tool: 'prometheus' | 'promtool'): Promise<string> {
  await mkdir(cache(), { recursive: true })
  // Without service discovery, which is most of it.
  const args = [
    'install',
    '-tags',
    'remove_all_sd',
    `github.com/prometheus/prometheus/cmd/${tool}@${PROMETHEUS_VERSION}`,
  ]
  await promisify(execFile)('go', args, { env: { ...process.env, GOBIN: cache() } })
  return join(cache(), tool)
}
