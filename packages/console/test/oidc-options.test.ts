import type { Mesh } from '@malha/mesh'
import { expect, it } from 'vitest'
import { claimAt, actorFrom } from '../src/access/oidc/person.ts'
import { consoleConfig } from '../src/config.ts'
import { oidcFrom, type OidcOptions } from '../src/index.ts'
import { resolveOptions } from '../src/options.ts'

const mesh = { log: {} } as Mesh
const oidc: OidcOptions = { issuer: 'https://id.example.org', clientId: 'console', roles: { viewer: ['staff'] } }

it('a console where people sign in by an issuer may listen elsewhere, under the address that it is sent back to', () => {
  expect(() => resolveOptions({ mesh, host: '0.0.0.0', oidc })).toThrow(/origin is needed with oidc/)
  expect(resolveOptions({ mesh, host: '0.0.0.0', oidc, origin: 'https://c.example.org' }).host).toBe('0.0.0.0')
  expect(() => resolveOptions({ mesh, oidc, role: 'admin' })).toThrow(/role is for a console without/)
})

it('what is wrong with it is said at once, and no secret', () => {
  const wrong = {
    issuer: 'http://id.example.org',
    clientId: '',
    clientSecret: 'hush',
    clientSecretFile: 'f',
    roles: {},
    sessionMs: 1,
  }
  const start = (): unknown => resolveOptions({ mesh, oidc: wrong })
  expect(start).toThrow(/plain HTTP .*clientId .*both given.*nobody could sign in.*sessionMs/)
  expect(start).not.toThrow(/hush/)
})

it('the environment says it all, and who may act makes the process one that acts', () => {
  const env = {
    NATS_URL: 'nats://127.0.0.1:4222',
    CONSOLE_OIDC_ISSUER: 'https://id.example.org',
    CONSOLE_OIDC_CLIENT_ID: 'console',
    CONSOLE_OIDC_CLIENT_SECRET_FILE: '/run/secret',
    CONSOLE_OIDC_ROLE_CLAIM: 'groups',
    CONSOLE_OIDC_VIEWER: 'staff, guests',
    CONSOLE_OIDC_SESSION_MS: '60000',
  }
  expect(consoleConfig(env).console.oidc).toMatchObject({
    clientSecretFile: '/run/secret',
    roleClaim: 'groups',
    roles: { viewer: ['staff', 'guests'], operator: [], admin: [] },
    sessionMs: 60_000,
  })
  expect(consoleConfig(env).mesh.topology).toBe('none')
  expect(consoleConfig({ ...env, CONSOLE_OIDC_ADMIN: 'boss' }).mesh.topology).not.toBe('none')
  expect(oidcFrom({})).toBe(undefined)
  expect(() => oidcFrom({ ...env, CONSOLE_OIDC_SESSION_MS: '1h' })).toThrow(/CONSOLE_OIDC_SESSION_MS is "1h"/)
})

it('a claim is found by its name, and by the way to it; the highest role that it gives counts', () => {
  const claims = { sub: 's', 'https://example.org/roles': ['a'], realm_access: { roles: ['b', 'c'] }, one: 'a' }
  expect(claimAt(claims, 'https://example.org/roles')).toEqual(['a'])
  expect(claimAt(claims, 'realm_access.roles')).toEqual(['b', 'c'])
  expect(claimAt(claims, 'constructor')).toBe(undefined)
  const roles = { viewer: ['a', 'c'], admin: ['b'] }
  expect(actorFrom(claims, { roleClaim: 'realm_access.roles', roles })).toEqual({ name: 's', role: 'admin' })
  expect(actorFrom(claims, { roleClaim: 'one', roles })).toMatchObject({ role: 'viewer' })
  expect(actorFrom(claims, { roleClaim: 'none', roles })).toBe(undefined)
  expect(actorFrom({ sub: 's' }, { roleClaim: 'sub', roles: { viewer: [] } })).toBe(undefined)
})
