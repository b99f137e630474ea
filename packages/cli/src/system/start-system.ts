import { type StackLog, startClickHouse, startNats, startTraces, type Supervised, superviseProcess } from '@malha/stack'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DataDir } from './data-dir.ts'
import { keepRunning } from './keep-running.ts'
import type { LogFiles } from './log-files.ts'
import { partnerNames } from './partners.ts'
import { assertPortsFree, type Ports } from './ports.ts'
import {
  type Backends,
  inheritedEnv,
  partnerPlan,
  type ProcessPlan,
  type ServiceName,
  serviceNames,
  servicePlan,
} from './processes.ts'
import { reportOf, type ReportParts, type SystemReport } from './report.ts'

export type SystemOptions = {
  data: DataDir
  ports: Ports
  logs: LogFiles
  /** Hears one sentence at a time: a restart, a download. */
  log: StackLog
  /** Gives up and stops what was started. */
  signal?: AbortSignal
}

/** NATS, ClickHouse, traces, partner simulators, services and archive, each a process of its own, all ready. */
export interface System extends AsyncDisposable {
  /** As things are now: a service that was started again has another pid. */
  readonly report: SystemReport
  /** SIGKILL of a service; it is started again. Returns the pid it had. */
  kill(name: ServiceName): number | undefined
}

/** What a killed run leaves behind ends within these. */
const LEFTOVERS_MS = 10_000
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

  const started = startBackends(options, backends)
  const partners = startPartners(options, backends)
  const where = await settle(started, partners)
  signal?.throwIfAborted()
  for (const name of serviceNames) services.set(name, supervise(servicePlan(name, ports, where.addresses), options))
  const ready = Promise.all([...services.values()].map((service) => service.whenReady({ timeoutMs: READY_MS })))
  await Promise.race([ready, aborted(signal)])

  const kept = parts.move()
  return {
    get report() {
      return reportOf(where.report, ports, (name) => services.get(name)?.pid ?? null)
    },
    kill(name) {
      const service = services.get(name)
      const pid = service?.pid
      service?.kill('SIGKILL')
      return pid
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
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

type Started = { addresses: Backends; report: ReportParts }

async function startBackends(options: SystemOptions, started: AsyncDisposable[]): Promise<Started> {
  const { data, ports, log } = options
  const onLine = (name: string) => (line: string) => options.logs.write(name, line)
  const keep = async <T extends { exited: Promise<unknown>; stop(): Promise<void> } & AsyncDisposable>(
    name: string,
    start: () => Promise<T>,
  ): Promise<T> => {
    const kept = await keepRunning(name, start, log)
    started.push(kept)
    return kept.current
  }
  const [natsDir, clickhouseDir, tracesDir] = await Promise.all(
    ['nats', 'clickhouse', 'traces'].map((name) => data.folder(name)),
  )
  const [nats, clickhouse, traces] = await Promise.all([
    keep('nats', () =>
      startNats({ dataDir: natsDir!, port: ports.nats, monitorPort: ports.natsMonitor, log, onLine: onLine('nats') }),
    ),
    keep('clickhouse', () =>
      startClickHouse({ dataDir: clickhouseDir!, port: ports.clickhouse, log, onLine: onLine('clickhouse') }),
    ),
    keep('traces', () =>
      startTraces({
        dataDir: tracesDir!,
        port: ports.otlp,
        queryPort: ports.traces,
        log,
        onLine: onLine('traces'),
      }),
    ),
  ])
  return {
    addresses: { nats: nats.url, clickhouse: clickhouse.url, otlp: traces.otlpUrl },
    report: {
      nats: nats.url,
      natsMonitor: nats.monitorUrl,
      clickhouse: clickhouse.url,
      traces: traces.queryUrl,
      tracesBackend: traces.backend,
    },
  }
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
    args: [plan.main],
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
