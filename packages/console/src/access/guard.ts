/**
 * Who asks, and whether he may.
 *
 * G1  A console where nobody signs in answers under names of this machine alone: a page elsewhere that points its own name at
 *     127.0.0.1 (DNS rebinding) is refused.
 * G2  What changes anything comes from the console's own page, or from a program: a browser always says which page it is.
 * G3  A route of the API that does not say what it needs, needs `viewer`.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ConsoleError } from '../errors.ts'
import { isLoopback, type ResolvedOptions } from '../options.ts'
import { allows, type Role } from './role.ts'
import type { Provider } from './oidc/provider.ts'
import type { SignIn } from './oidc/sign-in.ts'
import { Sessions } from './sessions.ts'
import type { Tokens } from './token-file.ts'

/** Who acts: the name is written down with what he does. */
export type Actor = { readonly name: string; readonly role: Role }

declare module 'fastify' {
  interface FastifyContextConfig {
    /** `nobody`: without having signed in. @default 'viewer' */
    needs?: Role | 'nobody'
    /** Whether it has something to say while NATS is away. @default false */
    worksAway?: boolean
  }
  interface FastifyRequest {
    actor: Actor | undefined
  }
}

export type Guard = {
  readonly sessions: Sessions
  readonly cookie: string
  /** Undefined where nobody signs in with a token. */
  readonly tokens: Tokens | undefined
  /** Undefined where nobody signs in by OpenID Connect. */
  readonly signIn: SignIn | undefined
  readonly provider: Provider | undefined
  /** Whether who asks must have signed in. */
  readonly signsIn: boolean
}

/** Who may come in, and how. */
export type Doors = Pick<Guard, 'tokens' | 'signIn' | 'provider'>

export type GuardOptions = Pick<ResolvedOptions, 'role' | 'who' | 'origin' | 'port'>

export function addGuard(app: FastifyInstance, doors: Doors, options: GuardOptions): Guard {
  const signsIn = doors.tokens !== undefined || doors.signIn !== undefined
  // Cookies do not tell ports apart: two consoles on one machine would sign each other out.
  const guard: Guard = { sessions: new Sessions(), cookie: `malha-console-${options.port}`, ...doors, signsIn }
  app.decorateRequest('actor', undefined)
  app.addHook('onRequest', async (request) => {
    checkHost(request, guard, options)
    if (!/^(GET|HEAD|OPTIONS)$/.test(request.method)) checkOrigin(request, options)
    request.actor = await actorOf(request, guard, options)
    const needs = request.routeOptions.config.needs ?? 'viewer'
    if (needs === 'nobody' || !request.url.startsWith('/api/')) return
    if (!request.actor) throw new ConsoleError('CONSOLE_SIGN_IN', 'this console answers those who signed in')
    if (!allows(request.actor.role, needs))
      throw new ConsoleError(
        'CONSOLE_ROLE_LACKING',
        signsIn
          ? `${request.actor.name} is ${request.actor.role}; this needs ${needs}`
          : `this console was started with the role ${options.role}; this needs ${needs} (--role ${needs})`,
      )
  })
  return guard
}

/** Who asks; of a route that needs a role. */
export function actorIn(request: FastifyRequest): Actor {
  if (!request.actor) throw new ConsoleError('CONSOLE_SIGN_IN', 'this console answers those who signed in')
  return request.actor
}

/** Upholds G1. */
function checkHost(request: FastifyRequest, { signsIn }: Guard, { origin }: GuardOptions): void {
  const isOurs = isLoopback(request.hostname) || request.host === (origin && new URL(origin).host)
  if (!signsIn && !isOurs)
    throw new ConsoleError('CONSOLE_FOREIGN_HOST', `this console is not ${JSON.stringify(request.host)}`)
}

/** Upholds G2. */
function checkOrigin({ headers, host, protocol }: FastifyRequest, { origin: ours }: GuardOptions): void {
  const site = headers['sec-fetch-site']
  const { origin } = headers
  const isForeign =
    (site !== undefined && site !== 'same-origin') ||
    (origin !== undefined && origin !== (ours ?? `${protocol}://${host}`))
  if (isForeign)
    throw new ConsoleError(
      'CONSOLE_FOREIGN_ORIGIN',
      `a page of ${origin ?? `another site (${site})`} asked for a change`,
    )
}

async function actorOf(
  request: FastifyRequest,
  { sessions, cookie, tokens, signsIn }: Guard,
  { role, who }: GuardOptions,
): Promise<Actor | undefined> {
  if (!signsIn) return { name: who, role }
  const bearer = /^Bearer (\S{1,512})$/i.exec(request.headers.authorization ?? '')?.[1]
  if (bearer !== undefined) return await tokens?.find(bearer)
  const secret = request.cookies[cookie]
  const session = secret === undefined ? undefined : sessions.find(secret)
  if (!session) return undefined
  return 'actor' in session ? session.actor : await tokens?.byHash(session.sha256)
}

/** How the secrets of sessions are kept: no script reads them, no other site sends them. */
export function cookieFor(
  request: FastifyRequest,
  { origin }: Pick<GuardOptions, 'origin'>,
): { path: string; httpOnly: true; sameSite: 'strict'; secure: boolean } {
  const secure = (origin ?? request.protocol).startsWith('https')
  return { path: '/', httpOnly: true, sameSite: 'strict', secure }
}
