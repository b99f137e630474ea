import { join } from 'node:path'
import { startClickHouse } from '@malha/stack'
import { backend } from '../../reference/backend.ts'
import type { ChaosProcess } from '../system.ts'
import { inTurn } from './in-turn.ts'
import { signal } from './signal.ts'
import type { Site } from './site.ts'

export async function startDatabase(
  site: Pick<Site, 'folder' | 'port' | 'onLine'>,
): Promise<AsyncDisposable & { process: ChaosProcess }> {
  // Killed on purpose, so never one that somebody else runs.
  const { CLICKHOUSE_URL: _, ...env } = process.env
  const options = {
    dataDir: join(site.folder, 'clickhouse'),
    port: site.port('clickhouse'),
    env,
    onLine: site.onLine('clickhouse'),
  }
  const kept = await backend(() => startClickHouse(options), true)
  const pid = (): number | undefined => (kept.isRunning ? kept.server?.pid : undefined)
  const turn = inTurn()
  const database: ChaosProcess = {
    name: 'clickhouse',
    kind: 'database',
    get pid() {
      return pid()
    },
    kill: () => turn(() => kept.kill()),
    stop: () => turn(() => kept.stop()),
    start: () => turn(async () => (kept.isRunning ? undefined : await kept.restart())),
    pause: () => signal(pid(), 'SIGSTOP'),
    resume: () => signal(pid(), 'SIGCONT'),
  }
  return { process: database, [Symbol.asyncDispose]: () => kept.stop() }
}
