import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { extname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { portTaken, StackError } from '../errors.ts'
import type { StackLog } from '../log.ts'
import { silent } from '../log.ts'
import { assertPortFree, freePorts, lostPort, withPort } from '../ports.ts'
import { notePid, predecessorGone } from '../process/predecessor.ts'
import { run } from '../process/run.ts'
import { spawnChild } from '../process/spawn.ts'
import type { Child } from '../process/spawn.ts'
import { randomToken } from '../process/token.ts'
import { getJson, untilReady } from '../process/until.ts'
import { jaegerConfig } from './jaeger-config.ts'
import { jaegerLinks } from './jaeger-links.ts'
import type { SinkOptions } from './sink/main.ts'

export type TracesOptions = {
  /** OTLP/HTTP. @default a free one */
  port?: number
  /** The query API and the pages. @default a free one */
  queryPort?: number
  /** Keeps the traces for the next start. Without it they end with the process. */
  dataDir?: string
  /** Where the console is, which Jaeger's page then leads to. @default nowhere */
  consoleUrl?: string
  /** Where to look for Jaeger 2.19 or later: `JAEGER_BIN`, `PATH`. @default process.env */
  env?: NodeJS.ProcessEnv
  log?: StackLog
  /** Hears each line the process writes. */
  onLine?: (line: string) => void
  /** What the error of a taken port names as the way out. @default { port: '--otlp-port', queryPort: '--traces-port' } */
  flags?: { port: string; queryPort: string }
}

export interface TracesServer extends AsyncDisposable {
  /** What `OTEL_EXPORTER_OTLP_ENDPOINT` takes; spans go to `/v1/traces` below it. */
  readonly otlpUrl: string
  /** Serves `/api/v3/…` as Jaeger 2 does. */
  readonly queryUrl: string
  /** `built-in` takes OTLP in JSON only. */
  readonly backend: 'jaeger' | 'built-in'
  readonly pid: number
  readonly exited: Promise<unknown>
  /** The page of one trace. */
  traceLink(traceId: string): string
  /** SIGTERM, SIGKILL after 5 s. */
  stop(): Promise<void>
  /** SIGKILL. Await `exited` before the next start on the same folder. */
  kill(): void
}

const READY_MS = 30_000

/**
 * A store of traces that takes OTLP/HTTP: Jaeger 2 where the machine has one, else the built-in one.
 * @throws StackError `STACK_PORT_TAKEN`, `STACK_DIR_IN_USE`, `STACK_NO_BINARY`, `STACK_EXITED`, `STACK_NOT_READY`
 */
export async function startTraces(options: TracesOptions = {}): Promise<TracesServer> {
  const { env = process.env, log = silent } = options
  const jaeger = await findJaeger(env)
  const dataDir = options.dataDir === undefined ? undefined : resolve(options.dataDir)
  if (dataDir !== undefined) {
    await mkdir(dataDir, { recursive: true })
    await predecessorGone(dataDir, { what: 'trace store', log })
  }
  const settled = { ...options, ...(dataDir !== undefined && { dataDir }) }
  return withPort(options.port, (port) =>
    withPort(options.queryPort, (queryPort) => startOn({ port, queryPort }, jaeger, settled)),
  )
}

type Ports = { port: number; queryPort: number }

async function startOn(ports: Ports, jaeger: string | undefined, options: TracesOptions): Promise<TracesServer> {
  const { dataDir, flags = { port: '--otlp-port', queryPort: '--traces-port' } } = options
  await assertPortFree(ports.port, 'OTLP', flags.port)
  await assertPortFree(ports.queryPort, 'the trace pages', flags.queryPort)
  const started = jaeger === undefined ? startSink(ports, options) : await startJaeger(jaeger, ports, options)
  const { child, isReady, backend, cleanUp = async () => {} } = started
  if (dataDir !== undefined) notePid(dataDir, child.pid)
  const stop = async (): Promise<void> => {
    await child.stop({ graceMs: 5000 })
    await cleanUp()
  }
  const what = backend === 'jaeger' ? `Jaeger (${jaeger})` : 'the built-in trace store'
  try {
    await untilReady(child, isReady, { what, timeoutMs: READY_MS })
  } catch (error) {
    await stop()
    const lost = lostPort(child)
    if (lost) throw portTaken(lost, what, lost === ports.port ? flags.port : flags.queryPort)
    throw error
  }
  const queryUrl = `http://127.0.0.1:${ports.queryPort}`
  return {
    otlpUrl: `http://127.0.0.1:${ports.port}`,
    queryUrl,
    backend,
    pid: child.pid,
    exited: child.exited,
    traceLink: (traceId) => `${queryUrl}/trace/${traceId}`,
    stop,
    kill: () => child.kill('SIGKILL'),
    [Symbol.asyncDispose]: stop,
  }
}

type Started = {
  child: Child
  isReady: () => Promise<boolean>
  backend: TracesServer['backend']
  cleanUp?: () => Promise<void>
}

function startSink({ port, queryPort }: Ports, { dataDir, env, onLine }: TracesOptions): Started {
  const main = fileURLToPath(new URL(`./sink/main${extname(import.meta.url)}`, import.meta.url))
  const token = randomToken()
  const file = dataDir === undefined ? {} : { file: join(dataDir, 'spans.ndjson') }
  const sink: SinkOptions = { port, queryPort, token, ...file }
  const child = spawnChild({
    command: process.execPath,
    args: [main, JSON.stringify(sink)],
    env: env ?? process.env,
    ...(onLine && { onLine }),
  })
  const isOurs = async (of: number): Promise<boolean> =>
    (await getJson<{ token: string }>(`http://127.0.0.1:${of}/status`))?.token === token
  return { child, backend: 'built-in', isReady: async () => (await isOurs(port)) && isOurs(queryPort) }
}

async function startJaeger(binary: string, ports: Ports, options: TracesOptions): Promise<Started> {
  const { dataDir, consoleUrl, env = process.env, onLine } = options
  const dir = dataDir ?? (await mkdtemp(join(tmpdir(), 'malha-jaeger-')))
  const [grpcPort] = (await freePorts(1)) as [number]
  const file = join(dir, 'jaeger.yaml')
  const pageFile = consoleUrl === undefined ? undefined : join(dir, 'jaeger-ui.json')
  if (pageFile !== undefined) await writeFile(pageFile, `${JSON.stringify(jaegerLinks(consoleUrl!), undefined, 2)}\n`)
  await writeFile(file, jaegerConfig({ ...ports, grpcPort }, { dataDir, pageFile }))
  const child = spawnChild({
    command: binary,
    args: ['--config', file],
    env: { ...env, OTEL_TRACES_SAMPLER: 'always_off' },
    ...(onLine && { onLine }),
  })
  return {
    child,
    backend: 'jaeger',
    isReady: async () => (await getJson(`http://127.0.0.1:${ports.queryPort}/api/v3/services`)) !== undefined,
    cleanUp: async () => (dataDir === undefined ? rm(dir, { recursive: true, force: true }) : undefined),
  }
}

/** Jaeger 1 had no binary of this name, and no `--config`. */
async function findJaeger(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const chosen = env['JAEGER_BIN']
  const binary = chosen || 'jaeger'
  try {
    await run(binary, ['version'], { env, timeoutMs: 10_000 })
    return binary
  } catch (error) {
    if (!chosen) return undefined
    const detail = `JAEGER_BIN is ${chosen}, which cannot be run: ${(error as Error).message}`
    throw new StackError('STACK_NO_BINARY', detail, { cause: error })
  }
}
