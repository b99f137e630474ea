import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { freePorts } from '@malha/stack'
import { eventually, type TestMesh } from '@malha/testing'

export type LogLine = { level: string; msg: string; url?: string; [field: string]: unknown }

/** The service as it is shipped: `node src/main.ts` with an environment. */
export interface ServiceProcess extends AsyncDisposable {
  readonly child: ChildProcess
  readonly lines: LogLine[]
  /** What it wrote that is no JSON line, on either stream. */
  readonly noise: string[]
  readonly api: string
  readonly health: string
  /** The exit code, once it has ended; null when a signal ended it. */
  readonly exited: Promise<number | null>
}

export async function startScript(
  script: 'main.ts' | 'rebuild.ts',
  { url, namespace }: Pick<TestMesh, 'url' | 'namespace'>,
  env: Record<string, string> = {},
): Promise<Omit<ServiceProcess, 'api' | 'health'>> {
  const { PATH, NODE_COMPILE_CACHE } = process.env
  const child = spawn(process.execPath, [fileURLToPath(new URL(`../src/${script}`, import.meta.url))], {
    env: { PATH, NODE_COMPILE_CACHE, NATS_URL: url, MALHA_NAMESPACE: namespace, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: LogLine[] = []
  const noise: string[] = []
  createInterface(child.stdout).on('line', (line) => {
    if (line.startsWith('{')) lines.push(JSON.parse(line) as LogLine)
    else noise.push(line)
  })
  createInterface(child.stderr).on('line', (line) => noise.push(line))
  const exited = once(child, 'close').then(([code]) => code as number | null)
  const end = async (): Promise<void> => {
    child.kill('SIGKILL')
    await exited
  }
  return { child, lines, noise, exited, [Symbol.asyncDispose]: end }
}

/** One that may not serve yet. */
export type StartingService = Omit<ServiceProcess, 'api'> & { untilServing(): Promise<ServiceProcess> }

export async function beginService(
  broker: Pick<TestMesh, 'url' | 'namespace'>,
  env: Record<string, string> = {},
): Promise<StartingService> {
  const [port = 0] = await freePorts(1)
  const running = await startScript('main.ts', broker, { HTTP_PORT: '0', HEALTH_PORT: String(port), ...env })
  const health = `http://127.0.0.1:${port}`
  const serving = (): string => {
    const url = running.lines.find(({ msg }) => msg === 'distribution-center serves')?.url
    if (url === undefined)
      throw new Error(`not serving: ${JSON.stringify([...running.lines.slice(-5), running.noise])}`)
    return url
  }
  const untilServing = async (): Promise<ServiceProcess> => {
    const api = await eventually(serving, { timeoutMs: 60_000 })
    return { ...running, api, health }
  }
  return { ...running, health, untilServing }
}

export async function startService(
  broker: Pick<TestMesh, 'url' | 'namespace'>,
  env: Record<string, string> = {},
): Promise<ServiceProcess> {
  return await (await beginService(broker, env)).untilServing()
}
