import { type NatsServer, type StackLog, startClickHouse, startNats, startTraces } from '@malha/stack'
import type { DataDir } from './data-dir.ts'
import { keepRunning } from './keep-running.ts'
import type { LogFiles } from './log-files.ts'
import { type NatsUsers, natsUsers } from './nats-users.ts'
import type { Ports } from './ports.ts'
import type { Backends } from './processes.ts'
import type { ReportParts } from './report.ts'

export type BackendOptions = {
  data: DataDir
  ports: Ports
  logs: LogFiles
  /** Hears one sentence at a time: a restart, a download. */
  log: StackLog
  /** Where the console will be, for links to it; undefined without one. */
  consoleUrl?: string | undefined
}

export type Started = { addresses: Backends; users: NatsUsers; report: ReportParts }

/**
 * Starts NATS, ClickHouse and the trace store side by side; each is started again if it dies.
 * @param started Takes what was started, in whatever order, so that it can be stopped when another part fails.
 */
export async function startBackends(options: BackendOptions, started: AsyncDisposable[]): Promise<Started> {
  const { data, ports, log, consoleUrl } = options
  const onLine = (name: string) => (line: string) => options.logs.write(name, line)
  const keep = async <T extends { exited: Promise<unknown>; stop(): Promise<void> } & AsyncDisposable>(
    name: string,
    start: () => Promise<T>,
  ): Promise<T> => {
    const kept = await keepRunning(name, start, log)
    started.push(kept)
    return kept.current
  }
  const [natsDir, usersDir, clickhouseDir, tracesDir] = await Promise.all(
    ['nats', 'users', 'clickhouse', 'traces'].map((name) => data.folder(name)),
  )
  const startOwnNats = async (): Promise<{ nats: NatsServer; users: NatsUsers }> => {
    const users = await natsUsers(usersDir!)
    const where = { dataDir: natsDir!, port: ports.nats, monitorPort: ports.natsMonitor }
    const watched = sayingRefusals(onLine('nats'), { users, log })
    const nats = await keep('nats', () => startNats({ ...where, config: users.config, log, onLine: watched }))
    await users.provision(nats.url)
    return { nats, users }
  }
  const [{ nats, users }, clickhouse, traces] = await Promise.all([
    startOwnNats(),
    keep('clickhouse', () =>
      startClickHouse({ dataDir: clickhouseDir!, port: ports.clickhouse, log, onLine: onLine('clickhouse') }),
    ),
    keep('traces', () =>
      startTraces({
        dataDir: tracesDir!,
        port: ports.otlp,
        queryPort: ports.traces,
        ...(consoleUrl !== undefined && { consoleUrl }),
        log,
        onLine: onLine('traces'),
      }),
    ),
  ])
  return {
    addresses: { nats: nats.url, clickhouse: clickhouse.url, otlp: traces.otlpUrl, as: users.as },
    users,
    report: {
      nats: nats.url,
      natsUsers: users.folder,
      natsMonitor: nats.monitorUrl,
      clickhouse: clickhouse.url,
      traces: traces.queryUrl,
      tracesBackend: traces.backend,
    },
  }
}

/** Says what a process is not allowed, once each: its service does something that it does not declare. */
function sayingRefusals(
  onLine: (line: string) => void,
  { users, log }: { users: NatsUsers; log: StackLog },
): (line: string) => void {
  const said = new Set<string>()
  return (line) => {
    onLine(line)
    const refusal = users.refusalOf(line)
    if (refusal === undefined || said.has(refusal)) return
    said.add(refusal)
    log(refusal)
  }
}
