import {
  type ArchiveAudit,
  type ArchivedEvent,
  auditArchive,
  type ClickHouseOptions,
  eachArchived,
  type EventFilter,
  queryArchiveSql,
} from '@malha/archive'
import {
  type Actor,
  allWithheld,
  openOperations,
  type Sensitivity,
  showArchived,
  type ShownEvent,
} from '@malha/operations'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { CliError } from '../cli-error.ts'
import { clickhouseAt } from '../connection/archive-option.ts'
import {
  apart,
  asActor,
  type ConnectOptions,
  clickhouseUrl,
  connectToMesh,
  withConnection,
} from '../connection/connect-options.ts'
import { drawAudit, drawEvents, drawRows } from '../view/archive-view.ts'
import { type EachAs, NDJSON, printEach } from '../view/print-each.ts'
import { wantsColors } from '../view/say.ts'

type Clickhouse = ConnectOptions & { clickhouse?: string }
type AuditCommandOptions = Clickhouse & { json?: true; nats?: string; stream?: string[]; wait: number }
type QueryCommandOptions = Clickhouse &
  EachAs &
  Actor &
  Omit<EventFilter, 'timeoutMs' | 'limit'> & { limit: number; reveal?: true }

/** `malha archive audit` and `malha archive query`. */
export function register(program: Command): void {
  const archive = program.command('archive').description('look into the archive of all events')
  registerAudit(archive)
  registerQuery(archive)
}

function registerAudit(archive: Command): void {
  withConnection(archive.command('audit'))
    .description(
      'compare the archive with the streams, message by message; exits with 1 unless all is there, once (who did what: malha audit list)',
    )
    .addOption(new Option('--nats <url>', 'the same as --server').hideHelp())
    .option('--clickhouse <url>', CLICKHOUSE)
    .option('--stream <name...>', 'only these streams, by their full names')
    .option('--wait <seconds>', 'how long to wait for the archive to catch up first', wholeNumber, 0)
    .option('--json', 'one JSON value: { clean, streams, totals, … }')
    .addHelpText(
      'after',
      `
Whoever may look at the streams may run it (viewer, operator, archive): it makes no consumer, and changes nothing.

Examples:
  malha archive audit --wait 60
  malha archive audit --stream CENTERS --context production --json
Exit codes: 0 all is there, once; 1 it is not, or an error.`,
    )
    .action(async (options: AuditCommandOptions) => {
      const result = await audit(options)
      print(options, result, () => drawAudit(result, wantsColors(process.stdout)))
      if (!result.clean) process.exitCode = 1
    })
}

function registerQuery(archive: Command): void {
  asActor(withConnection(archive.command('query')))
    .description('look up archived events, newest first; or run read-only SQL over archive.events')
    .argument('[sql]', "e.g. 'SELECT event_type, count() FROM archive.events FINAL GROUP BY event_type'")
    .option('--clickhouse <url>', CLICKHOUSE)
    .option('--id <id>', 'the event with this id')
    .option('--key <key>', "events of this key, e.g. a centre's id")
    .option('--type <type>', 'events of this type, e.g. center.registered')
    .option('--trace <id>', 'events of this trace')
    .option('--correlation <id>', 'events that go back to this one')
    .option('--stream <name>', 'events of this stream')
    .option('--since <time>', 'stored at or after, e.g. 2026-11-21T10:00:00Z')
    .option('--until <time>', 'stored before')
    .option('--limit <n>', 'how many at most', wholeNumber, 100)
    .option('--reveal', 'also what contracts mark as sensitive; written down first, and needs --reason')
    .option('--json', 'one JSON value: { events }, of SQL { rows }')
    .addOption(new Option('--ndjson', NDJSON).conflicts('json'))
    .addHelpText(
      'after',
      `
What the contracts of the mesh mark as sensitive is hidden; without a connection to NATS, where they are, all payloads are. SQL of
your own is not looked through: whoever may ask ClickHouse may see all there is.

Examples:
  malha archive query --key c-1
  malha archive query --type order.placed --limit 100000 --ndjson | jq -r .id
  malha archive query --id 7d0e… --reveal --reason 'the customer asks which card it was'
  malha archive query 'SELECT event_type, count() FROM archive.events FINAL GROUP BY event_type'
Exit codes: 0 looked up, 1 an error.`,
    )
    .action((sql: string | undefined, options: QueryCommandOptions) => query(sql, options))
}

const CLICKHOUSE = 'ClickHouse; default that of the context, CLICKHOUSE_URL, or http://127.0.0.1:8123'

async function clickhouseOf({ clickhouse, ...connection }: Clickhouse): Promise<ClickHouseOptions> {
  return clickhouseAt((await clickhouseUrl(connection, clickhouse)) ?? 'http://127.0.0.1:8123')
}

async function audit({ nats, stream, wait, ...options }: AuditCommandOptions): Promise<ArchiveAudit> {
  const { connection } = apart(options)
  const clickhouse = await clickhouseOf(options)
  await using mesh = await connectToMesh({ ...connection, server: connection.server ?? nats })
  return await auditArchive({
    nats: mesh.nats,
    namespace: mesh.names.namespace,
    clickhouse,
    waitMs: wait * 1000,
    ...(stream && { streams: stream }),
  })
}

async function query(sql: string | undefined, options: QueryCommandOptions): Promise<void> {
  const { clickhouse: _, json, ndjson, limit, reveal, who, reason, ...filter } = apart(options).rest
  const at = await clickhouseOf(options)
  const isForPrograms = json || ndjson
  if (sql !== undefined) {
    if (reveal)
      throw new CliError('CLI_INVALID_OPTION', 'SQL of your own is shown as it is asked for: leave --reveal out')
    const rows = await queryArchiveSql(at, sql, { limit })
    if (isForPrograms) await printEach(rows, { name: 'rows', ndjson })
    else process.stdout.write(`${drawRows(rows)}\n`)
    return
  }
  const found = eachArchived(at, { ...filter, limit })
  const { connection } = apart(options)
  const asked = { ...filter, limit }
  const events = reveal ? revealed(found, { connection, asked, who, reason }) : shown(found, connection)
  if (isForPrograms) await printEach(events, { name: 'events', ndjson })
  else process.stdout.write(`${drawEvents(await Array.fromAsync(events), process.stdout.columns ?? 120)}\n`)
}

type Reveal = Actor & { connection: ConnectOptions; asked: EventFilter }

/** Nothing is shown before that is written down, into the mesh. */
async function* revealed(
  events: AsyncIterable<ArchivedEvent>,
  { connection, asked, who, reason }: Reveal,
): AsyncGenerator<ShownEvent> {
  await using mesh = await connectToMesh(connection, { acts: true })
  using operations = await openOperations(mesh)
  const reveal = await operations.revealArchived(asked, { who, reason })
  for await (const event of events) yield reveal(event)
}

async function* shown(events: AsyncIterable<ArchivedEvent>, connection: ConnectOptions): AsyncGenerator<ShownEvent> {
  let sensitivity: Sensitivity | undefined
  for await (const event of events) {
    sensitivity ??= await sensitivityOf(connection)
    yield showArchived(sensitivity, event)
  }
}

/** As the services of the mesh said; where they cannot be asked, nothing is shown. */
async function sensitivityOf(connection: ConnectOptions): Promise<Sensitivity> {
  try {
    await using mesh = await connectToMesh(connection)
    using operations = await openOperations(mesh)
    return await operations.sensitivity()
  } catch (error) {
    return allWithheld(error)
  }
}

function print(options: { json?: true }, result: object, draw: () => string): void {
  process.stdout.write(`${options.json ? JSON.stringify(result) : draw()}\n`)
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('a whole number')
  return Number(text)
}
