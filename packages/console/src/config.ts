import { clickHouseOptions } from '@malha/archive'
import { meshOptions, type MeshOptions } from '@malha/mesh'
import { oidcFrom } from './access/oidc/options.ts'
import { isRole, type Role, roles } from './access/role.ts'
import { ConsoleError } from './errors.ts'
import type { ConsoleOptions } from './options.ts'

export type ConsoleConfig = { mesh: MeshOptions; console: Omit<ConsoleOptions, 'mesh'> }

/**
 * A console's process from its environment; docs/reference/configuration.md has the variables.
 * @throws ConsoleError CONSOLE_INVALID_OPTIONS; MeshError MESH_INVALID_OPTIONS; ArchiveError ARCHIVE_INVALID_OPTIONS
 */
export function consoleConfig(env: NodeJS.ProcessEnv): ConsoleConfig {
  const given = (name: string): string | undefined => env[name] || undefined
  const tokenFile = given('CONSOLE_TOKEN_FILE')
  const oidc = oidcFrom(env)
  const role = roleOf(given('CONSOLE_ROLE'))
  const port = given('CONSOLE_PORT')
  if (port !== undefined && !/^\d{1,5}$/.test(port))
    throw new ConsoleError('CONSOLE_INVALID_OPTIONS', `CONSOLE_PORT is ${JSON.stringify(port)}; 0 to 65535`)
  const { spool: _, ...mesh } = meshOptions(env)
  return {
    // Where nobody may act, nothing is made.
    mesh: mayAct({ tokenFile, oidc, role }) ? mesh : { ...mesh, topology: 'none' },
    console: {
      host: given('CONSOLE_HOST'),
      port: port === undefined ? undefined : Number(port),
      role,
      tokenFile,
      oidc,
      who: given('MALHA_WHO'),
      origin: given('CONSOLE_ORIGIN'),
      indexFile: given('CONSOLE_INDEX_FILE'),
      jaegerUrl: given('JAEGER_URL'),
      sendsEvents: isOn('CONSOLE_SEND_EVENTS', given('CONSOLE_SEND_EVENTS')),
      tracesUrl: given('CONSOLE_TRACES_URL'),
      ...(given('CLICKHOUSE_URL') && { clickhouse: clickHouseOptions(env) }),
    },
  }
}

/** Whether anybody there is may do more than look. */
export function mayAct({ tokenFile, oidc, role }: Pick<ConsoleOptions, 'tokenFile' | 'oidc' | 'role'>): boolean {
  const { operator = [], admin = [] } = oidc?.roles ?? {}
  if (operator.length + admin.length > 0) return true
  return tokenFile !== undefined || (role !== undefined && role !== 'viewer')
}

function isOn(name: string, text: string | undefined): boolean {
  if (text === undefined || text === 'off') return false
  if (text === 'on') return true
  throw new ConsoleError('CONSOLE_INVALID_OPTIONS', `${name} is ${JSON.stringify(text)}; on or off`)
}

function roleOf(text: string | undefined): Role | undefined {
  if (text === undefined || isRole(text)) return text
  throw new ConsoleError(
    'CONSOLE_INVALID_OPTIONS',
    `CONSOLE_ROLE is ${JSON.stringify(text)}; one of ${roles.join(', ')}`,
  )
}
