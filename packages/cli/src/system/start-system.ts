import { type Supervised, superviseProcess } from '@malha/stack'
import type { NatsConnection } from '@nats-io/transport-node'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { partnerNames } from './partners.ts'
import { assertPortsFree, type Ports } from './ports.ts'
import {
  consolePlan,
  consoleUrl,
  inheritedEnv,
  partnerPlan,
  type ProcessPlan,
  type ServiceName,
  serviceNames,
  servicePlan,
} from './processes.ts'
import { reportOf, type SystemReport } from './report.ts'
import { type BackendOptions, type Started, startBackends } from './start-backends.ts'
import { untilAnswers } from './until-answers.ts'

export type SystemOptions = BackendOptions & {
  /** What the web console may do; without it, there is none. */
  consoleRole?: string
  /** Gives up and stops what was started. */
  signal?: AbortSignal
}

/** NATS, ClickHouse, traces, partner simulators, services and archive, each a process of its own, all ready. */
export interface System extends AsyncDisposable {
  /** As things are now: a service that was started again has another pid. */
  readonly report: SystemReport
  /** SIGKILL of a service; it is started again. Returns the pid it had. */
  kill(name: ServiceName): number | undefined
  /** A connection to NATS as a user. */
  connect(user: string): Promise<NatsConnection>
}

/** What a killed run leaves behind ends within these. */
const LEFTOVERS_MS = 10_000
/** As each service's `start` script has it: a third of an idle service's memory would be room for young objects. */
const NODE_FLAGS = ['--max-semi-space-size=2']
const READY_MS = 60_000
/** Services drain first, then what they talk to ends: together within 10 s. */
const SERVICES_STOP_MS = 5000
const BACKENDS_STOP_MS = 4000

/**
 * Starts everything and waits until all of it is ready. If any part fails, what was started is stopped.
 * @throws CliError CLI_PORT_TAKEN; StackError of the part that failed
 */
export async function startSystem(options: SystemOptions): Promise<System> {
  const { ports, data, signal } = options
  await assertPortsFree(portsOfOurs(ports), data.afterCrash ? LEFTOVERS_MS : 0)
  await using parts = new AsyncDisposableStack()
  const backends: AsyncDisposable[] = []
  parts.defer(() => stopAll(backends, BACKENDS_STOP_MS))
  const services = new Map<ServiceName, Supervised>()
  parts.defer(() => stopAll([...services.values()].map(gently), SERVICES_STOP_MS))

  const over = new AbortController()
  parts.defer(() => over.abort())

  const leadsTo = options.consoleRole === undefined ? undefined : consoleUrl(ports)
  const started = startBackends({ ...options, consoleUrl: leadsTo }, backends)
  const partners = startPartners(options, backends)
  const where = await settle(started, partners)
  signal?.throwIfAborted()
  const places = { ...where.addresses, spool: join(await data.folder('distribution-center'), 'spool.db') }
  for (const name of serviceNames) services.set(name, supervise(servicePlan(name, ports, places), options))
  const console = await consoleOf(options, where)
  if (console) parts.defer(() => stopAll([gently(console)], SERVICES_STOP_MS))
  const ready = Promise.all([
    console?.whenReady({ timeoutMs: READY_MS }),
    ...[...services.values()].map((service) => service.whenReady({ timeoutMs: READY_MS })),
    // A service is ready when it can work, the system when the API takes requests too.
    untilAnswers(`http://127.0.0.1:${ports.api}/centers?limit=1`, { timeoutMs: READY_MS, signal: over.signal }),
  ])
  await Promise.race([ready, aborted(signal)])

  const kept = parts.move()
  return {
    get report() {
      const report = reportOf(where.report, ports, (name) => services.get(name)?.pid ?? null)
      return console ? { ...report, console: consoleUrl(ports) } : report
    },
    kill(name) {
      const service = services.get(name)
      const pid = service?.pid
      service?.kill('SIGKILL')
      return pid
    },
    connect: (user) => where.users.connect(user, where.addresses.nats),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

async function consoleOf(options: SystemOptions, { addresses, report }: Started): Promise<Supervised | undefined> {
  const { ports, data, consoleRole: role } = options
  if (role === undefined) return undefined
  const indexFile = join(await data.folder('console'), 'letters.sqlite')
  const isJaeger = report.tracesBackend === 'jaeger'
  return supervise(consolePlan(ports, addresses, { role, indexFile, tracesUrl: report.traces, isJaeger }), options)
}

/** A ClickHouse that somebody else runs needs no port of ours. */
function portsOfOurs(ports: Ports): Partial<Ports> {
  const { clickhouse: _, ...others } = ports
  return process.env['CLICKHOUSE_URL'] ? others : ports
}

/** Rejects once the signal aborts. */
function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

/** Waits for both even when the first fails, so that nothing starts while the rest is being stopped. */
async function settle<T>(first: Promise<T>, second: Promise<void>): Promise<T> {
  const [a, b] = await Promise.allSettled([first, second])
  if (a.status === 'rejected') throw a.reason
  if (b.status === 'rejected') throw b.reason
  return a.value
}

async function startPartners(options: SystemOptions, started: AsyncDisposable[]): Promise<void> {
  const dataDir = await options.data.folder('partners')
  const partners = partnerNames.map((name) => supervise(partnerPlan(name, options.ports, dataDir), options))
  started.push(...partners)
  await Promise.all(partners.map((partner) => partner.whenReady({ timeoutMs: READY_MS })))
}

function supervise(plan: ProcessPlan, { logs, log }: SystemOptions): Supervised {
  return superviseProcess({
    name: plan.name,
    command: process.execPath,
    args: [...NODE_FLAGS, plan.main],
    env: { ...inheritedEnv(process.env), ...plan.env },
    readyUrl: plan.readyUrl,
    onLine: (line) => logs.write(plan.name, line),
    log,
  })
}

function gently(service: Supervised): AsyncDisposable {
  return { [Symbol.asyncDispose]: () => service.stop({ graceMs: SERVICES_STOP_MS - 500 }) }
}

/** At once, and for so long; what is left then ends with this process. */
async function stopAll(list: readonly AsyncDisposable[], withinMs: number): Promise<void> {
  const stopped = Promise.allSettled(list.map((each) => each[Symbol.asyncDispose]()))
  await Promise.race([stopped, sleep(withinMs, undefined, { ref: false })])
}
