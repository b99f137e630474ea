import { mkdir, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { extname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { portTaken, StackError } from '../errors.ts'
import type { StackLog } from '../log.ts'
import { silent } from '../log.ts'
import { assertPortFree, withPort } from '../ports.ts'
import { notePid, predecessorGone } from '../process/predecessor.ts'
import { run } from '../process/run.ts'
import { spawnChild } from '../process/spawn.ts'
import type { Child } from '../process/spawn.ts'
import { randomToken } from '../process/token.ts'
import { untilReady } from '../process/until.ts'
import { engineConfig, serverConfig } from './config.ts'
import { useExternal } from './external.ts'
import { ask } from './query.ts'

export type ClickHouseOptions = {
  /** Tables are kept here. A second start on it finds them again. Created when missing. */
  dataDir: string
  /** @default a free one */
  port?: number
  /** Where to look: `CLICKHOUSE_URL`, `PATH`. @default process.env */
  env?: NodeJS.ProcessEnv
  log?: StackLog
  /** Hears each line the server writes. */
  onLine?: (line: string) => void
  /** What the error of a taken port names as the way out. @default --clickhouse-port */
  flag?: string
}

export interface ClickHouseServer extends AsyncDisposable {
  /** HTTP, as `createClient({ url })` takes it. */
  readonly url: string
  readonly port: number
  readonly version: string
  /** `external`: at CLICKHOUSE_URL, not ours to stop. `binary`: a `clickhouse` on PATH. `chdb`: the engine npm brought. */
  readonly backend: 'external' | 'binary' | 'chdb'
  /** Undefined when external. */
  readonly pid: number | undefined
  /** Settles when the server has ended. Never, when external. */
  readonly exited: Promise<unknown>
  /** SIGTERM (about 2 s), SIGKILL after 8 s. Does nothing when external. */
  stop(): Promise<void>
  /** SIGKILL. Acknowledged inserts are kept. Await `exited` before the next start on the same folder. */
  kill(): void
}

const READY_MS = 60_000
const PORT_FAILURE = /Code: 210\b|Address already in use/
const FOLDER_FAILURE = /Code: 76\b/

/**
 * A ClickHouse that answers on HTTP: the one at `CLICKHOUSE_URL`, a `clickhouse` binary on PATH, or the engine of npm's
 * chDB in a process of its own (Linux x64 with glibc).
 * @throws StackError `STACK_PORT_TAKEN`, `STACK_DIR_IN_USE`, `STACK_NO_BINARY`, `STACK_EXITED`, `STACK_NOT_READY`
 */
export async function startClickHouse(options: ClickHouseOptions): Promise<ClickHouseServer> {
  const { env = process.env, log = silent } = options
  if (env['CLICKHOUSE_URL']) return useExternal(env['CLICKHOUSE_URL'])
  const backend = (await hasBinary(env)) ? 'binary' : 'chdb'
  if (backend === 'chdb') assertEngine()
  const dataDir = resolve(options.dataDir)
  await mkdir(dataDir, { recursive: true })
  await predecessorGone(dataDir, { what: 'ClickHouse', log })
  return withPort(options.port, (port) => startOn(port, backend, { ...options, dataDir }))
}

async function startOn(
  port: number,
  backend: 'binary' | 'chdb',
  options: ClickHouseOptions,
): Promise<ClickHouseServer> {
  const { dataDir, flag = '--clickhouse-port' } = options
  await assertPortFree(port, 'ClickHouse', flag)
  const token = randomToken()
  const config = join(dataDir, 'config.xml')
  const own = backend === 'chdb' ? engineConfig(token) : serverConfig({ token, dataDir, port })
  await writeFile(config, own, { mode: 0o600 })
  const child = spawnServer({ ...options, backend, port, config })
  const url = `http://127.0.0.1:${port}`
  try {
    await untilReady(child, async () => (await ask(url, "SELECT getMacro('malha')")) === token, {
      what: `ClickHouse on port ${port}`,
      timeoutMs: READY_MS,
    })
  } catch (error) {
    child.kill('SIGKILL')
    await child.exited
    const said = child.tail.join('\n')
    if (PORT_FAILURE.test(said)) throw portTaken(port, 'ClickHouse', flag)
    if (!FOLDER_FAILURE.test(said)) throw error
    const detail = `${dataDir} is in use by another ClickHouse: end that one, or choose another data folder`
    throw new StackError('STACK_DIR_IN_USE', detail, { cause: error })
  }
  const version = await ask(url, 'SELECT version()')
  const stop = async (): Promise<void> => void (await child.stop({ graceMs: 8000 }))
  return {
    url,
    port,
    version,
    backend,
    pid: child.pid,
    exited: child.exited,
    stop,
    kill: () => child.kill('SIGKILL'),
    [Symbol.asyncDispose]: stop,
  }
}

type Spawn = ClickHouseOptions & { backend: 'binary' | 'chdb'; port: number; config: string }

function spawnServer({ backend, dataDir, port, config, env = process.env, onLine }: Spawn): Child {
  const launcher = fileURLToPath(new URL(`./launcher${extname(import.meta.url)}`, import.meta.url))
  const [command, args] =
    backend === 'binary'
      ? ['clickhouse', ['server', `--config-file=${config}`]]
      : [process.execPath, [launcher, join(dataDir, 'store'), String(port), config]]
  const child = spawnChild({
    command,
    args,
    env,
    cwd: dataDir,
    onLine(line) {
      onLine?.(line)
      // The engine does not end after these for seconds, and its port may be answered by another server meanwhile.
      if (PORT_FAILURE.test(line) || FOLDER_FAILURE.test(line)) child.kill('SIGKILL')
    },
  })
  notePid(dataDir, child.pid)
  return child
}

async function hasBinary(env: NodeJS.ProcessEnv): Promise<boolean> {
  return run('clickhouse', ['--version'], { env, timeoutMs: 10_000 }).then(
    () => true,
    () => false,
  )
}

function assertEngine(): void {
  try {
    createRequire(createRequire(import.meta.url).resolve('chdb')).resolve('@chdb/lib-linux-x64-gnu')
  } catch (error) {
    const detail =
      `there is no ClickHouse for this machine (${process.platform} ${process.arch}): npm's chDB brings one for Linux x64 ` +
      'with glibc only. Set CLICKHOUSE_URL to a running server, or put a clickhouse binary on PATH'
    throw new StackError('STACK_NO_BINARY', detail, { cause: error })
  }
}
