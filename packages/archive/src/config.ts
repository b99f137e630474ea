import { readFileSync } from 'node:fs'
import { meshOptions, type MeshOptions } from '@malha/mesh'
import { healthAddress } from '@malha/telemetry'
import { type ClickHouseOptions, hostOf } from './clickhouse/connect.ts'
import { ArchiveError, reasonOf } from './errors.ts'

/** A process's environment. */
export type Env = Readonly<Record<string, string | undefined>>

export type ArchiveConfig = {
  readonly mesh: MeshOptions
  readonly health: { host: string; port: number }
  readonly clickhouse: ClickHouseOptions
}

/**
 * What `clickHouseOptions`, the mesh and the health endpoints read.
 * @throws ArchiveError ARCHIVE_INVALID_OPTIONS with every fault
 */
export function archiveConfig(env: Env): ArchiveConfig {
  const faults: string[] = []
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read()
    } catch (error) {
      faults.push(reasonOf(error))
      return undefined
    }
  }
  const mesh = attempt(() => meshOptions(env))
  const health = attempt(() => healthAddress(env))
  const clickhouse = attempt(() => clickHouseOptions(env))
  if (mesh && health && clickhouse) return { mesh, health, clickhouse }
  throw new ArchiveError('ARCHIVE_INVALID_OPTIONS', faults.map((fault) => `\n  - ${fault}`).join(''))
}

/**
 * Where ClickHouse is: `CLICKHOUSE_URL`, `CLICKHOUSE_USER`, and `CLICKHOUSE_PASSWORD_FILE`, which goes before
 * `CLICKHOUSE_PASSWORD`.
 * @throws ArchiveError ARCHIVE_INVALID_OPTIONS
 */
export function clickHouseOptions(env: Env): ClickHouseOptions {
  const { CLICKHOUSE_URL: url, CLICKHOUSE_USER: username, CLICKHOUSE_PASSWORD_FILE: file } = env
  if (!url) throw new ArchiveError('ARCHIVE_INVALID_OPTIONS', 'CLICKHOUSE_URL is not set; e.g. http://127.0.0.1:8123')
  hostOf(url)
  const password = file ? readPassword(file) : env['CLICKHOUSE_PASSWORD']
  return { url, ...(username && { username }), ...(password && { password }) }
}

function readPassword(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const text = `the file that CLICKHOUSE_PASSWORD_FILE names, ${file}, cannot be read (${code ?? 'unknown'})`
    throw new ArchiveError('ARCHIVE_INVALID_OPTIONS', text, { cause })
  }
}
