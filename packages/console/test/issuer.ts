import { createSign, generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Provider } from 'oidc-provider'
import type { OidcOptions } from '../src/index.ts'

/** What the issuer says of somebody, by the name he signs in with; whatever his password is. */
export const PEOPLE: Readonly<Record<string, object>> = {
  ana: { email: 'ana@example.org', email_verified: true, realm_access: { roles: ['mesh-operators', 'staff'] } },
  eva: { preferred_username: 'ana@example.org', realm_access: { roles: ['mesh-admins', 'mesh-viewers'] } },
  guest: { name: 'A guest', realm_access: { roles: ['staff'] } },
}

export const CLIENT = { clientId: 'console', clientSecret: 'not-to-be-seen-anywhere' } as const

/** A real OpenID provider on a port of its own. */
export interface Issuer extends AsyncDisposable {
  readonly url: string
  readonly options: OidcOptions
  /** Answers from now on, for a console at this address; before it does not. */
  open(console: string): void
  /** Puts these claims in the place of those of the next ID token, signed by its own key or by another one. */
  tamper(claims: object, key?: 'own' | 'foreign'): void
}

const [own, foreign] = [0, 1].map(() => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey)
const KEY = { ...own!.export({ format: 'jwk' }), kid: 'own', alg: 'RS256', use: 'sig' } as const

export async function startIssuer(): Promise<Issuer> {
  let handle: ((request: IncomingMessage, response: ServerResponse) => void) | undefined
  let tampering: { claims: object; key: 'own' | 'foreign' } | undefined
  const server = createServer((request, response) => {
    if (handle) return handle(request, response)
    response.writeHead(503).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  // Another site than the console's, which is opened under its number.
  const url = `http://localhost:${(server.address() as AddressInfo).port}`
  return {
    url,
    options: {
      issuer: url,
      ...CLIENT,
      roleClaim: 'realm_access.roles',
      roles: { viewer: ['mesh-viewers'], operator: ['mesh-operators'], admin: ['mesh-admins'] },
    },
    open(console) {
      const provider = providerFor(url, console)
      provider.use(async (context, next) => {
        await next()
        const body = context.body as { id_token?: string } | undefined
        if (context.path !== '/token' || !tampering || !body?.id_token) return
        const said = JSON.parse(Buffer.from(body.id_token.split('.')[1]!, 'base64url').toString()) as object
        context.body = { ...body, id_token: signed({ ...said, ...tampering.claims }, tampering.key) }
        tampering = undefined
      })
      const callback = provider.callback()
      handle = (request, response) => void callback(request, response)
    },
    tamper: (claims, key = 'own') => (tampering = { claims, key }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function providerFor(url: string, console: string): Provider {
  return new Provider(url, {
    clients: [
      {
        client_id: CLIENT.clientId,
        client_secret: CLIENT.clientSecret,
        redirect_uris: [`${console}/api/session/oidc/callback`],
        post_logout_redirect_uris: [`${console}/`],
      },
    ],
    jwks: { keys: [KEY] },
    cookies: { keys: ['a key of a test'] },
    claims: {
      openid: ['sub'],
      email: ['email', 'email_verified'],
      profile: ['name', 'preferred_username', 'realm_access'],
    },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...PEOPLE[id] }) }),
    // Nobody is asked whether the console may know who he is.
    async loadExistingGrant({ oidc }) {
      const grant = new oidc.provider.Grant({ clientId: oidc.client!.clientId, accountId: oidc.session!.accountId! })
      grant.addOIDCScope('openid profile email')
      await grant.save()
      return grant
    },
    ttl: { AccessToken: 3600, AuthorizationCode: 60, IdToken: 3600, Interaction: 600, Session: 3600, Grant: 3600 },
  })
}

function signed(claims: object, key: 'own' | 'foreign'): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const text = `${part({ alg: 'RS256', kid: KEY.kid, typ: 'JWT' })}.${part(claims)}`
  return `${text}.${createSign('RSA-SHA256').update(text).sign({ own: own!, foreign: foreign! }[key], 'base64url')}`
}
