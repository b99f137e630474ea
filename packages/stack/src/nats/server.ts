import type { ChildProcess } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join, resolve } from 'node:path'
import { portTaken } from '../errors.ts'
import type { StackLog } from '../log.ts'
import { silent } from '../log.ts'
import { assertPortFree, lostPort, withPort } from '../ports.ts'
import { notePid, predecessorGone } from '../process/predecessor.ts'
import { spawnChild } from '../process/spawn.ts'
import type { Child } from '../process/spawn.ts'
import { randomToken } from '../process/token.ts'
import { getJson, untilReady } from '../process/until.ts'
import { findNatsServer } from './binary.ts'
import type { NatsBinary } from './binary.ts'
import { natsConfig } from './config.ts'
import type { NatsConfig } from './config.ts'

export type NatsOptions = {
  /** Streams are kept here. A second start on it finds them again. Created when missing. */
  dataDir: string
  /** @default a free one */
  port?: number
  /** @default a free one */
  monitorPort?: number
  /** Lines of nats-server configuration, put after the stack's own: accounts, users, TLS, limits. */
  config?: string
  /** What JetStream may use of the disk; a stream's `max_bytes` counts in full. @default the server's own limit */
  maxStoreBytes?: number
  /** Every message is forced to the disk before it is acknowledged (`sync_interval: always`). @default every 2 minutes */
  syncAlways?: boolean
  /** Where to look for the server: `NATS_SERVER_BIN`, `PATH`, `MALHA_CACHE`. @default process.env */
  env?: NodeJS.ProcessEnv
  log?: StackLog
  /** Hears each line of the server's log. */
  onLine?: (line: string) => void
  /** What the error of a taken port names as the way out. @default { port: '--nats-port', monitorPort: '--nats-monitor-port' } */
  flags?: { port: string; monitorPort: string }
}

export interface NatsServer extends AsyncDisposable {
  /** `nats://127.0.0.1:<port>` */
  readonly url: string
  /** `http://127.0.0.1:<monitorPort>` */
  readonly monitorUrl: string
  readonly port: number
  readonly monitorPort: number
  readonly pid: number
  /** Path of the binary. */
  readonly binary: string
  readonly version: string
  readonly child: ChildProcess
  /** Settles when the server has ended, for whatever reason. */
  readonly exited: Promise<unknown>
  /** SIGTERM, and SIGKILL after 10 s. */
  stop(): Promise<void>
  /** SIGKILL. Await `exited` before the next start on the same folder. */
  kill(): void
}

/** Clusters elect a leader first. */
const READY_MS = 30_000

/**
 * Starts a nats-server with JetStream on 127.0.0.1 and waits until it, and no other server, answers on both ports.
 * @throws StackError `STACK_PORT_TAKEN`, `STACK_NO_BINARY`, `STACK_EXITED`, `STACK_NOT_READY`
 */
export async function startNats(options: NatsOptions): Promise<NatsServer> {
  const binary = await findNatsServer(options)
  return withPort(options.port, (port) =>
    withPort(options.monitorPort, (monitorPort) => {
      const token = randomToken()
      return runNats(binary, { ...options, name: `malha-${token}`, token, port, monitorPort })
    }),
  )
}

/** One server of a known binary and configuration. */
export async function runNats(binary: NatsBinary, options: NatsConfig & NatsOptions): Promise<NatsServer> {
  const { port, monitorPort, onLine, log = silent } = options
  const dataDir = resolve(options.dataDir)
  const flags = options.flags ?? { port: '--nats-port', monitorPort: '--nats-monitor-port' }
  await mkdir(dataDir, { recursive: true })
  await predecessorGone(dataDir, { what: 'nats-server', log })
  await assertPortFree(port, 'NATS', flags.port)
  await assertPortFree(monitorPort, 'the NATS monitor', flags.monitorPort)
  const file = join(dataDir, 'nats-server.conf')
  await writeFile(file, natsConfig({ ...options, dataDir }), { mode: 0o600 })
  const env = options.env ?? process.env
  const child = spawnChild({ command: binary.path, args: ['-c', file], env, ...(onLine && { onLine }) })
  notePid(dataDir, child.pid)
  const monitorUrl = `http://127.0.0.1:${monitorPort}`
  try {
    await untilReady(child, () => isReady({ monitorUrl, port, token: options.token }), {
      what: `nats-server ${binary.version} on port ${port}`,
      timeoutMs: READY_MS,
    })
  } catch (error) {
    await child.stop()
    const lost = lostPort(child)
    if (lost) throw portTaken(lost, 'NATS', lost === port ? flags.port : flags.monitorPort)
    throw error
  }
  return handle(child, { url: `nats://127.0.0.1:${port}`, monitorUrl, port, monitorPort, binary })
}

type Where = { url: string; monitorUrl: string; port: number; monitorPort: number; binary: NatsBinary }

function handle(child: Child, { binary, ...where }: Where): NatsServer {
  const stop = async (): Promise<void> => void (await child.stop({ graceMs: 10_000 }))
  return {
    ...where,
    pid: child.pid,
    binary: binary.path,
    version: binary.version,
    child: child.process,
    exited: child.exited,
    stop,
    kill: () => child.kill('SIGKILL'),
    [Symbol.asyncDispose]: stop,
  }
}

type Sought = { monitorUrl: string; port: number; token: string }

/** JetStream is up, this is the server we started, and the client port is that very server's too. */
async function isReady({ monitorUrl, port, token }: Sought): Promise<boolean> {
  const varz = await getJson<{ server_id: string; tags?: string[] }>(`${monitorUrl}/varz`)
  if (!varz?.tags?.includes(token)) return false
  const health = await getJson<{ status: string }>(`${monitorUrl}/healthz`)
  return health?.status === 'ok' && (await serverIdAt(port)) === varz.server_id
}

/** The id in the INFO line a nats-server greets with. */
async function serverIdAt(port: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: 2000 })
    let greeting = ''
    const done = (): void => {
      socket.destroy()
      resolve(/"server_id":"([^"]+)"/.exec(greeting)?.[1])
    }
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => {
      greeting += chunk
      if (greeting.includes('\n')) done()
    })
    socket.once('timeout', done)
    socket.once('end', done)
    socket.once('error', reject)
  })
}
