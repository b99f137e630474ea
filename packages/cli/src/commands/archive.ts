import { type ArchiveAudit, auditArchive, type EventFilter, queryArchive, queryArchiveSql } from '@malha/archive'
import { type Command, InvalidArgumentError } from 'commander'
import { connectToMesh } from '../connection/connect-options.ts'
import { drawAudit, drawEvents, drawRows } from '../view/archive-view.ts'
import { wantsColors } from '../view/say.ts'

type Clickhouse = { clickhouse: string; json?: true }
type AuditCommandOptions = Clickhouse & { nats?: string; stream?: string[]; wait: number }
type QueryCommandOptions = Clickhouse & Omit<EventFilter, 'timeoutMs' | 'limit'> & { limit: number }

/** `malha archive audit` and `malha archive query`. */
export function register(program: Command): void {
  const archive = program.command('archive').description('look into the archive of all events')
  const clickhouse = process.env['CLICKHOUSE_URL'] || 'http://127.0.0.1:8123'
  registerAudit(archive, clickhouse)
  registerQuery(archive, clickhouse)
}

function registerAudit(archive: Command, clickhouse: string): void {
  archive
    .command('audit')
    .description(
      'compare the archive with the streams, message by message; exits with 1 unless all is there, once (who did what: malha audit list)',
    )
    .option('--nats <url>', 'NATS server; default NATS_URL with its credentials, or nats://127.0.0.1:4222')
    .option('--clickhouse <url>', 'ClickHouse; CLICKHOUSE_URL', clickhouse)
    .option('--stream <name...>', 'only these streams, by their full names')
    .option('--wait <seconds>', 'how long to wait for the archive to catch up first', wholeNumber, 0)
    .option('--json', 'the whole result as one JSON line')
    .action(async (options: AuditCommandOptions) => {
      const result = await audit(options)
      print(options, result, () => drawAudit(result, wantsColors(process.stdout)))
      if (!result.clean) process.exitCode = 1
    })
}

function registerQuery(archive: Command, clickhouse: string): void {
  archive
    .command('query')
    .description('look up archived events, newest first; or run read-only SQL over archive.events')
    .argument('[sql]', "e.g. 'SELECT event_type, count() FROM archive.events FINAL GROUP BY event_type'")
    .option('--clickhouse <url>', 'ClickHouse; CLICKHOUSE_URL', clickhouse)
    .option('--id <id>', 'the event with this id')
    .option('--key <key>', "events of this key, e.g. a centre's id")
    .option('--type <type>', 'events of this type, e.g. center.registered')
    .option('--trace <id>', 'events of this trace')
    .option('--correlation <id>', 'events that go back to this one')
    .option('--stream <name>', 'events of this stream')
    .option('--since <time>', 'stored at or after, e.g. 2026-11-21T10:00:00Z')
    .option('--until <time>', 'stored before')
    .option('--limit <n>', 'how many at most', wholeNumber, 100)
    .option('--json', 'one JSON line an event or row')
    .action((sql: string | undefined, options: QueryCommandOptions) => query(sql, options))
}

async function audit({ nats, clickhouse, stream, wait }: AuditCommandOptions): Promise<ArchiveAudit> {
  await using mesh = await connectToMesh({ server: nats })
  return await auditArchive({
    nats: mesh.nats,
    namespace: mesh.names.namespace,
    clickhouse: { url: clickhouse },
    waitMs: wait * 1000,
    ...(stream && { streams: stream }),
  })
}

async function query(sql: string | undefined, options: QueryCommandOptions): Promise<void> {
  const { clickhouse, json, limit, ...filter } = options
  const at = { url: clickhouse }
  if (sql !== undefined) {
    const rows = await queryArchiveSql(at, sql, { limit })
    for (const row of json ? rows : []) process.stdout.write(`${JSON.stringify(row)}\n`)
    if (!json) process.stdout.write(`${drawRows(rows)}\n`)
    return
  }
  const events = await queryArchive(at, { ...filter, limit })
  for (const event of json ? events : []) process.stdout.write(`${JSON.stringify(event)}\n`)
  if (!json) process.stdout.write(`${drawEvents(events, process.stdout.columns ?? 120)}\n`)
}

function print(options: { json?: true }, result: object, draw: () => string): void {
  process.stdout.write(`${options.json ? JSON.stringify(result) : draw()}\n`)
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('a whole number')
  return Number(text)
}
