import { type ClickHouseClient, ClickHouseLogLevel, createClient } from '@clickhouse/client'
import { type Logger, silentLogger } from '@malha/mesh'
import { ArchiveError } from '../errors.ts'

/** Where the archive's ClickHouse is. */
export type ClickHouseOptions = {
  /** HTTP endpoint, e.g. `http://127.0.0.1:8123`; user and password may be in it. */
  url: string
  username?: string
  password?: string
  /** After how long a request is given up, ms. An insert given up is retried under the same token. @default 30_000 */
  requestTimeoutMs?: number
}

/** How a client is used: the writer's never sends settings that hide a fault, the reader's can't change anything. */
export type ClientUse = 'write' | 'read'

/**
 * A ClickHouse client with the settings this package relies on. Writer and reader are separate clients: a reader that
 * forgets a result must not starve inserts of sockets.
 * @throws ArchiveError ARCHIVE_INVALID_OPTIONS
 */
export function connectClickHouse(
  options: ClickHouseOptions,
  use: ClientUse,
  log: Logger = silentLogger,
): ClickHouseClient {
  const url = parseUrl(options.url)
  return createClient({
    url,
    application: `malha-archive-${use}`,
    ...(options.username === undefined ? {} : { username: options.username }),
    ...(options.password === undefined ? {} : { password: options.password }),
    request_timeout: options.requestTimeoutMs ?? 30_000,
    max_open_connections: use === 'write' ? 64 : 8,
    // A socket the server has closed in the meantime is the common cause of ECONNRESET.
    keep_alive: { enabled: true, idle_socket_ttl: 2_500, eagerly_destroy_stale_sockets: true },
    clickhouse_settings: use === 'write' ? WRITE_SETTINGS : {},
    log: { level: ClickHouseLogLevel.WARN, LoggerClass: loggerClass(log) },
  })
}

/** `host:port` of a ClickHouse URL: what a log line may show of it. */
export function hostOf(url: string): string {
  return parseUrl(url).host
}

const WRITE_SETTINGS = {
  // On by default since 26.2; then an insert is acknowledged before it is a part.
  async_insert: 0,
  // Off by default, and 64-bit integers lose precision in JavaScript.
  output_format_json_quote_64bit_integers: 1,
} as const

function parseUrl(text: string): URL {
  const url = URL.parse(text)
  if (url && /^https?:$/.test(url.protocol)) return url
  // The text may hold a password, so it is not repeated.
  throw new ArchiveError('ARCHIVE_INVALID_OPTIONS', 'the ClickHouse URL is no http(s) URL; e.g. http://127.0.0.1:8123')
}

// The client prints each failure to the console by itself; here every failure is handled, and told, by the caller.
function loggerClass(log: Logger): new () => ClientLogger {
  return class implements ClientLogger {
    trace(): void {}
    debug(): void {}
    info(): void {}
    warn(line: ClientLine): void {
      log.debug({ module: line.module, err: line.err?.message }, line.message)
    }
    error(line: ClientLine): void {
      log.debug({ module: line.module, err: line.err?.message }, line.message)
    }
  }
}

type ClientLine = { module: string; message: string; err?: Error }
type ClientLogger = {
  trace(): void
  debug(): void
  info(): void
  warn(line: ClientLine): void
  error(line: ClientLine): void
}
