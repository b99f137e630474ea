import { readFile } from 'node:fs/promises'
import { ConsoleError } from '../../errors.ts'
import { type Role, roles } from '../role.ts'

/** Sign-in by OpenID Connect: authorization code flow with PKCE. */
export type OidcOptions = {
  /** Where its `.well-known/openid-configuration` is, e.g. `https://id.example.org/realms/staff`. Plain HTTP on this machine alone. */
  issuer: string
  clientId: string
  /** @default none: a public client */
  clientSecret?: string | undefined
  /** A file with the secret in it, in place of it. */
  clientSecretFile?: string | undefined
  /** @default 'openid profile email' */
  scope?: string | undefined
  /** The claim that says what somebody may do: its name, or the way to it (`realm_access.roles`). @default 'roles' */
  roleClaim?: string | undefined
  /** Values of the claim that make somebody what; whoever has none of them does not come in. The highest counts. */
  roles: Readonly<Partial<Record<Role, readonly string[]>>>
  /** How long somebody is signed in, ms; then he is asked for anew. @default 8 hours */
  sessionMs?: number | undefined
}

export type ResolvedOidc = Pick<OidcOptions, 'issuer' | 'clientId' | 'clientSecret' | 'roles'> & {
  readonly scope: string
  readonly roleClaim: string
  readonly sessionMs: number
}

const SESSION_MS = 8 * 3_600_000
const LONGEST_SESSION_MS = 30 * 24 * 3_600_000

/** All that is wrong with the options, each as a sentence. */
export function oidcFaults(options: OidcOptions): string[] {
  const { issuer, clientId, clientSecret, clientSecretFile, roles: values, sessionMs = SESSION_MS } = options
  const faults: string[] = []
  const url = URL.parse(issuer)
  if (!url || !/^https?:$/.test(url.protocol) || url.search || url.hash || url.username)
    faults.push('oidc.issuer is no http(s) URL without user, query and fragment')
  else if (url.protocol === 'http:' && !/^(localhost|127\.[\d.]+|\[::1\])$/.test(url.hostname))
    faults.push('oidc.issuer speaks plain HTTP elsewhere than on this machine; take https')
  if (clientId.trim() === '') faults.push('oidc.clientId is empty')
  if (clientSecret !== undefined && clientSecretFile !== undefined)
    faults.push('oidc.clientSecret and oidc.clientSecretFile are both given; keep one')
  if (roles.every((role) => (values[role] ?? []).length === 0))
    faults.push(`oidc.roles has no value for ${roles.join(', ')}: nobody could sign in`)
  if (!Number.isSafeInteger(sessionMs) || sessionMs < 1000 || sessionMs > LONGEST_SESSION_MS)
    faults.push(`oidc.sessionMs is ${sessionMs}; 1000 to ${LONGEST_SESSION_MS}`)
  return faults
}

/** @throws ConsoleError CONSOLE_INVALID_OPTIONS: the file of the secret */
export async function resolveOidc({ clientSecretFile, ...options }: OidcOptions): Promise<ResolvedOidc> {
  const { clientSecret, scope = 'openid profile email', roleClaim = 'roles', sessionMs = SESSION_MS } = options
  const secret = clientSecretFile === undefined ? clientSecret : await secretIn(clientSecretFile)
  return { ...options, scope, roleClaim, sessionMs, clientSecret: secret }
}

async function secretIn(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new ConsoleError('CONSOLE_INVALID_OPTIONS', `oidc.clientSecretFile ${file} cannot be read (${code})`, {
      cause,
    })
  }
}

/**
 * From the environment; undefined where nobody names an issuer. docs/reference/configuration.md has the variables.
 * @throws ConsoleError CONSOLE_INVALID_OPTIONS
 */
export function oidcFrom(env: NodeJS.ProcessEnv): OidcOptions | undefined {
  const given = (name: string): string | undefined => env[name] || undefined
  const issuer = given('CONSOLE_OIDC_ISSUER')
  if (issuer === undefined) return undefined
  const listed = (name: string): string[] =>
    (given(name) ?? '')
      .split(',')
      .map((value) => value.trim())
      .filter((value) => value !== '')
  const session = given('CONSOLE_OIDC_SESSION_MS')
  if (session !== undefined && !/^\d+$/.test(session))
    throw new ConsoleError(
      'CONSOLE_INVALID_OPTIONS',
      `CONSOLE_OIDC_SESSION_MS is ${JSON.stringify(session)}; milliseconds`,
    )
  return {
    issuer,
    clientId: given('CONSOLE_OIDC_CLIENT_ID') ?? '',
    clientSecret: given('CONSOLE_OIDC_CLIENT_SECRET'),
    clientSecretFile: given('CONSOLE_OIDC_CLIENT_SECRET_FILE'),
    scope: given('CONSOLE_OIDC_SCOPE'),
    roleClaim: given('CONSOLE_OIDC_ROLE_CLAIM'),
    roles: {
      viewer: listed('CONSOLE_OIDC_VIEWER'),
      operator: listed('CONSOLE_OIDC_OPERATOR'),
      admin: listed('CONSOLE_OIDC_ADMIN'),
    },
    sessionMs: session === undefined ? undefined : Number(session),
  }
}
