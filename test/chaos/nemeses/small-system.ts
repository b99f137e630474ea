import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePorts } from '@malha/stack'
import { connect, type ConnectionOptions, type NatsConnection } from '@nats-io/transport-node'
import { commandLine } from '../system/command-line.ts'
import { nodeProcess } from '../system/node-process.ts'
import { openBrokers } from '../system/open-brokers.ts'
import type { ChaosProcess, ChaosSystem, Topology } from '../system.ts'

/** Brokers as a run has them, and one process, `clock`, which answers over HTTP through a proxy. */
export interface SmallSystem extends ChaosSystem, AsyncDisposable {
  /** Where brokers are reached, without a proxy. */
  readonly urls: readonly string[]
  /** A connection as somebody in the brokers' configuration. */
  through(user: 'admin' | 'sys', options?: ConnectionOptions): Promise<NatsConnection>
  /** What `clock` says of itself; through the proxy from `reader` to it. */
  ask(signal?: AbortSignal): Promise<ClockSays>
  readonly faults: object[]
}

export type ClockSays = { wallMs: number; newMs: number; monotonicMs: number; pid: number; release: string }

const CLOCK = fileURLToPath(new URL('clock-server.ts', import.meta.url))

export async function smallSystem(topology: Topology): Promise<SmallSystem> {
  await using opened = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'malha-nemeses-'))
  opened.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const { links, disks, users, brokers } = opened.use(await openBrokers({ topology, folder }))
  const [port] = (await freePorts(1)) as [number]
  const previous = join(await made(join(folder, 'previous')), 'clock-server.ts')
  await copyFile(CLOCK, previous)
  let main = CLOCK
  const clock = opened.use(
    nodeProcess({
      name: 'clock',
      kind: 'service',
      main: () => main,
      env: { PORT: String(port) },
      readyUrl: `http://127.0.0.1:${port}/`,
      clockDir: await made(join(folder, 'clocks')),
      onLine: () => undefined,
    }),
  )
  await clock.start()
  const proxied = await links.between('reader', 'clock', port)
  const through: SmallSystem['through'] = (user, options) =>
    connect({
      authenticator: users.authenticatorOf(user),
      servers: [...brokers.urls],
      maxReconnectAttempts: -1,
      reconnectTimeWait: 50,
      pingInterval: 1000,
      ...options,
    })
  const operator = await through('admin')
  opened.defer(() => operator.close())
  const systemAccount = await through('sys')
  opened.defer(() => systemAccount.close())
  const release: ChaosProcess['release'] = async (which) => {
    main = which === 'previous' ? previous : CLOCK
    await clock.stop()
    await clock.start()
  }
  const processes = [...brokers.processes, Object.defineProperties(clock, { release: { value: release } })]
  const faults: object[] = []
  const malha = opened.use(
    commandLine({
      urls: brokers.urls,
      user: users.as('operator'),
      cache: join(folder, 'operator'),
      onLine: () => undefined,
    }),
  )
  const all = opened.move()
  return {
    topology,
    processes,
    links: links.all,
    operator,
    systemAccount,
    malha,
    urls: brokers.urls,
    through,
    clickhouseUrl: '',
    faults,
    setPartnerFault: (_, fault) => Promise.resolve(void faults.push(fault)),
    fillDisk: (owner) => disks.fill(processes.find(({ name }) => name === owner)!),
    async ask(signal = AbortSignal.timeout(5_000)) {
      const answer = await fetch(`http://127.0.0.1:${proxied}/`, { signal, headers: { connection: 'close' } })
      return (await answer.json()) as ClockSays
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

async function made(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true })
  return folder
}
