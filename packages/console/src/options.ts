import { hostname, userInfo } from 'node:os'
import type { ClickHouseOptions } from '@malha/archive'
import type { Logger, Mesh } from '@malha/mesh'
import { oidcFaults, type OidcOptions, type ResolvedOidc } from './access/oidc/options.ts'
import { isRole, type Role, roles } from './access/role.ts'
import { ConsoleError } from './errors.ts'

export type ConsoleOptions = {
  /** Connected. For a console where nobody may act, `topology: 'none'` and the rights of an onlooker are enough. */
  mesh: Mesh
  /** Where to listen. Elsewhere than on this machine people must sign in. @default '127.0.0.1' */
  host?: string | undefined
  /** 0 takes a free one. @default 8090 */
  port?: number | undefined
  /** A file of lines `name role sha256`: who may sign in with a token, as what. @default nobody signs in */
  tokenFile?: string | undefined
  /** People sign in by OpenID Connect. @default nobody does */
  oidc?: OidcOptions | undefined
  /** Where nobody signs in: what everybody on this machine may do. @default 'viewer' */
  role?: Role | undefined
  /** Where nobody signs in: who it was, in what is written down. @default the user and the machine */
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

export type ResolvedOptions = Omit<ConsoleOptions, 'oidc'> & {
  host: string
  port: number
  role: Role
  who: string
  sendsEvents: boolean
  log: Logger
  oidc: ResolvedOidc | undefined
}

/** @throws ConsoleError CONSOLE_OPEN_ELSEWHERE, or CONSOLE_INVALID_OPTIONS with every fault */
export function resolveOptions(options: ConsoleOptions): Omit<ResolvedOptions, 'oidc'> & Pick<ConsoleOptions, 'oidc'> {
  const {
    host = '127.0.0.1',
    port = 8090,
    role = 'viewer',
    who = userName(),
    tokenFile,
    origin,
    jaegerUrl,
    tracesUrl,
    oidc,
  } = options
  const faults: string[] = []
  if (!Number.isInteger(port) || port < 0 || port > 65_535) faults.push(`port is ${port}; 0 to 65535`)
  if (!isRole(role)) faults.push(`role is ${JSON.stringify(role)}; one of ${roles.join(', ')}`)
  if ((tokenFile !== undefined || oidc) && options.role !== undefined)
    faults.push('role is for a console without tokenFile and oidc; with them, these say who may do what')
  if (oidc) faults.push(...oidcFaults(oidc))
  if (oidc && !isLoopback(host) && origin === undefined)
    faults.push('origin is needed with oidc: the issuer sends people back to it')
  if (origin !== undefined && originOf(origin) !== origin)
    faults.push(`origin is ${JSON.stringify(origin)}; scheme and host alone, e.g. https://console.example.org`)
  if (jaegerUrl !== undefined && originOf(jaegerUrl) === undefined) faults.push('jaegerUrl is no http(s) URL')
  if (tracesUrl !== undefined && originOf(tracesUrl) === undefined) faults.push('tracesUrl is no http(s) URL')
  if (faults.length > 0) throw new ConsoleError('CONSOLE_INVALID_OPTIONS', faults.join('; '))
  if (!isLoopback(host) && tokenFile === undefined && !oidc)
    throw new ConsoleError(
      'CONSOLE_OPEN_ELSEWHERE',
      `it would listen on ${host} for whoever comes by: give a token file or an issuer of OpenID Connect, or listen on 127.0.0.1`,
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
