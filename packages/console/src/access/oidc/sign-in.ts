/**
 * Signing in by OpenID Connect.
 *
 * O1  An answer of the issuer counts for the browser that asked for it, once, and within ten minutes.
 * O2  Nothing of a token, a code or a claim is logged or told but the name that is written down with what somebody does.
 */
import type { Logger } from '@malha/mesh'
import {
  authorizationCodeGrant,
  buildAuthorizationUrl,
  buildEndSessionUrl,
  calculatePKCECodeChallenge,
  type Configuration,
  fetchUserInfo,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
} from 'openid-client'
import { hash, randomBytes } from 'node:crypto'
import { ConsoleError } from '../../errors.ts'
import type { Actor } from '../guard.ts'
import { actorFrom, claimAt, type Claims } from './person.ts'
import { type Provider, wordsOf } from './provider.ts'

/** The way to the issuer, and the secret that its answer counts with. */
export type Begun = { readonly url: string; readonly secret: string }

export type SignedIn = { readonly actor: Actor; /** Where he wanted to go. */ readonly to: string }

export interface SignIn {
  /** Where somebody signs in, who wants to go to a page of the console. @throws ConsoleError CONSOLE_OIDC_AWAY */
  begin(to: string): Promise<Begun>
  /**
   * `url`: as the issuer called it, under the console's own address.
   * @throws ConsoleError CONSOLE_OIDC_REFUSED | CONSOLE_OIDC_NO_ROLE | CONSOLE_OIDC_AWAY
   */
  finish(url: URL, secret: string | undefined): Promise<SignedIn>
  /** Where the issuer signs him out too; undefined where it has no such place. */
  endUrl(): string | undefined
}

type Pending = { state: string; nonce: string; verifier: string; to: string; until: number }

const PENDING_MS = 10 * 60_000
const MOST_PENDING = 10_000

/** @param base Address of the console, as people open it. */
export function signInWith(provider: Provider, { base, log }: { base: () => string; log: Logger }): SignIn {
  const pending = new Map<string, Pending>()
  const redirect = (): string => `${base()}/api/session/oidc/callback`
  let last: Configuration | undefined
  return {
    async begin(to) {
      last = await provider.configuration()
      for (const [key, { until }] of pending)
        if (until < Date.now() || pending.size >= MOST_PENDING) pending.delete(key)
      const [secret, verifier] = [randomBytes(32).toString('base64url'), randomPKCECodeVerifier()]
      const entry = { state: randomState(), nonce: randomNonce(), verifier, to: ownPath(to, base()) }
      pending.set(digest(secret), { ...entry, until: Date.now() + PENDING_MS })
      const url = buildAuthorizationUrl(last, {
        redirect_uri: redirect(),
        scope: provider.options.scope,
        state: entry.state,
        nonce: entry.nonce,
        code_challenge: await calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      })
      return { url: url.href, secret }
    },
    async finish(url, secret) {
      const entry = taken(secret)
      if (!entry)
        throw refused('this sign-in was not begun in this browser, was used before, or is older than ten minutes')
      last = await provider.configuration()
      const claims = await claimsBy(last, url, entry)
      const actor = actorFrom(claims, provider.options)
      if (actor) return { actor, to: entry.to }
      log.info({ claim: provider.options.roleClaim }, 'somebody whom the issuer knows has no role here')
      throw new ConsoleError(
        'CONSOLE_OIDC_NO_ROLE',
        `the claim ${provider.options.roleClaim} has none of the values that make somebody a viewer, operator or admin here`,
      )
    },
    endUrl() {
      if (!last?.serverMetadata().end_session_endpoint) return undefined
      return buildEndSessionUrl(last, { post_logout_redirect_uri: `${base()}/` }).href
    },
  }

  /** Upholds O1. */
  function taken(secret: string | undefined): Pending | undefined {
    if (secret === undefined) return undefined
    const entry = pending.get(digest(secret))
    pending.delete(digest(secret))
    return entry && entry.until > Date.now() ? entry : undefined
  }

  /** Upholds O2. */
  async function claimsBy(
    configuration: Configuration,
    url: URL,
    { state, nonce, verifier }: Pending,
  ): Promise<Claims> {
    try {
      const called = new URL(`${redirect()}${url.search}`)
      const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: true }
      const tokens = await authorizationCodeGrant(configuration, called, checks)
      const claims = tokens.claims()!
      if (claimAt(claims, provider.options.roleClaim) !== undefined) return claims
      if (!configuration.serverMetadata().userinfo_endpoint) return claims
      return { ...(await fetchUserInfo(configuration, tokens.access_token, claims.sub)), ...claims }
    } catch (error) {
      const why = wordsOf(error)
      log.warn({ why }, 'a sign-in by OpenID Connect was refused')
      throw refused(why)
    }
  }
}

const refused = (why: string): ConsoleError => new ConsoleError('CONSOLE_OIDC_REFUSED', why)

const digest = (secret: string): string => hash('sha256', secret, 'hex')

/** A page of the console itself, whatever was asked for. */
function ownPath(to: string, base: string): string {
  const url = URL.parse(to, base)
  if (!url || url.origin !== new URL(base).origin || url.pathname.startsWith('/api/')) return '/'
  // Two slashes would lead to another host.
  return `${url.pathname.replace(/^\/+/, '/')}${url.search}${url.hash}`
}
