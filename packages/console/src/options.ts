import { hostname, userInfo } from 'node:os'
import type { ClickHouseOptions } from '@malha/archive'
import type { Logger, Mesh } from '@malha/mesh'
import { isRole, type Role, roles } from './access/role.ts'
import { ConsoleError } from './errors.ts'

export type ConsoleOptions = {
  /** Connected. For a console where nobody may act, `topology: 'none'` and the rights of an onlooker are enough. */
  mesh: Mesh
  /** Where to listen. Elsewhere than on this machine a token file is needed. @default '127.0.0.1' */
  host?: string | undefined
  /** 0 takes a free one. @default 8090 */
  port?: number | undefined
  /** A file of lines `name role sha256`: who may sign in with a token, as what. @default nobody signs in */
  tokenFile?: string | undefined
  /** Without a token file: what everybody on this machine may do. @default 'viewer' */
  role?: Role | undefined
  /** Without a token file: who it was, in what is written down. @default the user and the machine */
  who?: string | undefined
  /** The address people open, where it is not the one it listens on: `https://console.example.org` behind a proxy. */
  origin?: string | undefined
  /** Where the index of letters is kept. @default in memory */
  indexFile?: string | undefined
  /** The ClickHouse of the archive. @default none: the pages that read it say so */
  clickhouse?: ClickHouseOptions | undefined
  /** Where people look at traces, e.g. `http://127.0.0.1:16686`. @default no links */
  jaegerUrl?: string | undefined
  /** Whether operators may send events by hand. Leave it off in production. @default false */
  sendsEvents?: boolean | undefined
  /** Where a journey reads its spans: a store with Jaeger's `/api/v3`. @default jaegerUrl */
  tracesUrl?: string | undefined
  /** @default the mesh's */
  log?: Logger | undefined
}

export type ResolvedOptions = ConsoleOptions & {
  host: string
  port: number
  role: Role
  who: string
  sendsEvents: boolean
  log: Logger
}

/** @throws ConsoleError CONSOLE_OPEN_ELSEWHERE, or CONSOLE_INVALID_OPTIONS with every fault */
export function resolveOptions(options: ConsoleOptions): ResolvedOptions {
  const {
    host = '127.0.0.1',
    port = 8090,
    role = 'viewer',
    who = userName(),
    tokenFile,
    origin,
    jaegerUrl,
    tracesUrl,
  } = options
  const faults: string[] = []
  if (!Number.isInteger(port) || port < 0 || port > 65_535) faults.push(`port is ${port}; 0 to 65535`)
  if (!isRole(role)) faults.push(`role is ${JSON.stringify(role)}; one of ${roles.join(', ')}`)
  if (tokenFile !== undefined && options.role !== undefined)
    faults.push('role is for a console without tokenFile; with it, the file says who may do what')
  if (origin !== undefined && originOf(origin) !== origin)
    faults.push(`origin is ${JSON.stringify(origin)}; scheme and host alone, e.g. https://console.example.org`)
  if (jaegerUrl !== undefined && originOf(jaegerUrl) === undefined) faults.push('jaegerUrl is no http(s) URL')
  if (tracesUrl !== undefined && originOf(tracesUrl) === undefined) faults.push('tracesUrl is no http(s) URL')
  if (faults.length > 0) throw new ConsoleError('CONSOLE_INVALID_OPTIONS', faults.join('; '))
  if (!isLoopback(host) && tokenFile === undefined)
    throw new ConsoleError(
      'CONSOLE_OPEN_ELSEWHERE',
      `it would listen on ${host} for whoever comes by: give a token file, or listen on 127.0.0.1`,
    )
  const { sendsEvents = false } = options
  return { ...options, host, port, role, who, sendsEvents, log: options.log ?? options.mesh.log }
}

export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/.test(host)
}

function originOf(text: string): string | undefined {
  const url = URL.parse(text)
  return url && /^https?:$/.test(url.protocol) ? url.origin : undefined
}

/** A container's user may have a number alone. */
function userName(): string {
  try {
    return `${userInfo().username}@${hostname()}`
  } catch {
    return `${process.getuid?.() ?? 'somebody'}@${hostname()}`
  }
}
