import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '@malha/mesh'
import {
  allowInsecureRequests,
  ClientSecretBasic,
  ClientSecretPost,
  type Configuration,
  discovery,
  enableNonRepudiationChecks,
  None,
} from 'openid-client'
import { ConsoleError } from '../../errors.ts'
import type { ResolvedOidc } from './options.ts'

/** An issuer, which may be away. */
export interface Provider extends AsyncDisposable {
  readonly options: ResolvedOidc
  /** Since when it could not be asked, RFC 3339; undefined when it could. */
  readonly awaySince: string | undefined
  /** What it says of itself; asked for now where it was away. @throws ConsoleError CONSOLE_OIDC_AWAY */
  configuration(): Promise<Configuration>
}

const ASK_SECONDS = 5
const RETRY_MS = 2000
const LONGEST_RETRY_MS = 30_000

/** Asks the issuer what it offers, and again until it answers. Its absence keeps nothing else from starting. */
export function openProvider(options: ResolvedOidc, log: Logger): Provider {
  const stopping = new AbortController()
  let known: Configuration | undefined
  let awaySince: string | undefined = new Date().toISOString()
  let asking: Promise<Configuration> | undefined
  const ask = async (): Promise<Configuration> => {
    try {
      known = await discover(options)
      awaySince = undefined
      return known
    } catch (error) {
      const detail = `${options.issuer} does not say how one signs in: ${wordsOf(error)}`
      throw new ConsoleError('CONSOLE_OIDC_AWAY', detail)
    } finally {
      asking = undefined
    }
  }
  const configuration = async (): Promise<Configuration> => known ?? (await (asking ??= ask()))
  const untilThere = async (): Promise<void> => {
    for (let waitMs = RETRY_MS; !stopping.signal.aborted; waitMs = Math.min(2 * waitMs, LONGEST_RETRY_MS)) {
      const fault = await configuration().then(
        () => undefined,
        (error: Error) => error.message,
      )
      if (fault === undefined) return
      // Said once, not every half minute.
      if (waitMs === RETRY_MS) log.warn({ why: fault }, 'nobody can sign in by OpenID Connect until the issuer answers')
      await sleep(waitMs, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  }
  const looking = untilThere()
  return {
    options,
    get awaySince() {
      return awaySince
    },
    configuration,
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await looking
    },
  }
}

async function discover({ issuer, clientId, clientSecret }: ResolvedOidc): Promise<Configuration> {
  const isPlain = new URL(issuer).protocol === 'http:'
  const made = await discovery(new URL(issuer), clientId, undefined, authentication(clientSecret), {
    timeout: ASK_SECONDS,
    // The signature of the ID token too, though it comes from the issuer itself.
    execute: [enableNonRepudiationChecks, ...(isPlain ? [allowInsecureRequests] : [])],
  })
  return made
}

/** By what the issuer takes; RFC 6749 has it that all take the header. */
function authentication(secret: string | undefined): ReturnType<typeof None> {
  if (secret === undefined) return None()
  const [inBody, inHeader] = [ClientSecretPost(secret), ClientSecretBasic(secret)]
  return (server, client, body, headers) => {
    const takes = server.token_endpoint_auth_methods_supported
    const isInBody = takes?.includes('client_secret_post') === true && !takes.includes('client_secret_basic')
    return (isInBody ? inBody : inHeader)(server, client, body, headers)
  }
}

/** Without what came from the issuer: claims and tokens are in the causes. Of those the names of claims are told, and codes. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return 'an unknown fault'
  const details = new Set<string>()
  let place: unknown = error
  for (let depth = 0; depth < 4 && typeof place === 'object' && place !== null; depth += 1) {
    const { code, claim, error: said, cause } = place as Record<string, unknown>
    for (const one of [code, claim, said]) if (typeof one === 'string' && /^[\w.-]{1,64}$/.test(one)) details.add(one)
    if (place !== error && place instanceof Error && place.message !== error.message)
      details.add(place.message.slice(0, 100))
    place = cause
  }
  return [error.message.slice(0, 200), ...(details.size > 0 ? [`(${[...details].join(', ')})`] : [])].join(' ')
}
