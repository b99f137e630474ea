import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Logger } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Console, type OidcOptions, startConsole } from '../src/index.ts'
import { ask } from './asking.ts'
import { CLIENT, type Issuer, startIssuer } from './issuer.ts'
import { Visitor } from './visitor.ts'

type Scene = AsyncDisposable & { issuer: Issuer; console: Console; log: string[] }

async function openScene(more: Partial<OidcOptions> = {}): Promise<Scene> {
  await using parts = new AsyncDisposableStack()
  const test = parts.use(await testMesh())
  const issuer = parts.use(await startIssuer())
  const log: string[] = []
  const line = (fields: object, text: string): void => void log.push(`${JSON.stringify(withErrors(fields))} ${text}`)
  const logger: Logger = { debug: line, info: line, warn: line, error: line }
  const console = parts.use(
    await startConsole({ mesh: test.mesh, port: 0, oidc: { ...issuer.options, ...more }, log: logger }),
  )
  issuer.open(console.url)
  await eventually(async () =>
    expect(await ask(console, '/session')).toMatchObject({ body: { issuer: { awaySince: null } } }),
  )
  const kept = parts.move()
  return { issuer, console, log, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

/** With their causes, as logs print them. */
function withErrors(fields: object): object {
  const told = (value: unknown): unknown =>
    value instanceof Error
      ? { said: value.message, stack: value.stack, more: Object.entries(value), cause: told(value.cause) }
      : value
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, told(value)]))
}

let scene: Scene
beforeAll(async () => (scene = await openScene()))
afterAll(async () => await scene[Symbol.asyncDispose]())

/** Signed in, with what is then sent with each request. */
async function signedIn(name: string, { console }: Pick<Scene, 'console'> = scene): Promise<Record<string, string>> {
  const visitor = new Visitor()
  const back = await visitor.open(await visitor.signIn(console.url, name))
  expect(back).toMatchObject({ status: 303, to: `${console.url}/letters` })
  return { cookie: [...visitor.cookies].map(([each, value]) => `${each}=${value}`).join('; ') }
}

describe('signing in by OpenID Connect', () => {
  it('makes somebody what his claim says, under the name that his issuer vouches for', async () => {
    const { console } = scene
    expect(await ask(console, '/letters')).toMatchObject({ status: 401, body: { code: 'CONSOLE_SIGN_IN' } })
    const headers = await signedIn('ana')
    expect((await ask(console, '/session', { headers })).body).toMatchObject({
      signsIn: true,
      takesTokens: false,
      actor: { name: 'ana@example.org', role: 'operator' },
    })
    expect((await ask(console, '/letters/1/discard', { body: { reason: 'x' }, headers })).status).toBe(404)
    expect((await ask(console, '/letters/1/reveal', { body: { reason: 'x' }, headers })).status).toBe(403)
    // Whoever calls himself like somebody else is told apart by his subject; of two roles the higher counts.
    const other = await ask(console, '/session', { headers: await signedIn('eva') })
    expect(other.body).toMatchObject({ actor: { name: 'ana@example.org (eva)', role: 'admin' } })
  })

  it('keeps the secret of the session from scripts and other sites, and of the way there from all but the way', async () => {
    const visitor = new Visitor()
    const begun = await visitor.open(`${scene.console.url}/api/session/oidc?to=/runs`)
    expect(begun.setCookies.join()).toMatch(/-sign-in=[\w-]{43}; Path=\/api\/session\/oidc; HttpOnly; SameSite=Lax/)
    const asked = new URL(begun.to!).searchParams
    expect(asked.get('code_challenge_method')).toBe('S256')
    expect([...asked.keys()]).toEqual(expect.arrayContaining(['state', 'nonce', 'code_challenge']))
    const back = await visitor.open(await visitor.signIn(scene.console.url, 'ana', '/runs?x=1'))
    expect(back.to).toBe(`${scene.console.url}/runs?x=1`)
    expect(back.setCookies.at(-1)).toMatch(/^malha-console-\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/)
    for (const away of ['https://evil.example/', '//evil.example/', '/\\evil.example', '/api/letters']) {
      const other = new Visitor()
      const to = (await other.open(await other.signIn(scene.console.url, 'ana', away))).to!
      expect(new URL(to).origin).toBe(scene.console.url)
      expect(new URL(to).pathname).not.toMatch(/^\/(api|\/)/)
    }
  })

  it('lets nobody in whom no value of the claim makes anything, and says so on a page', async () => {
    const visitor = new Visitor()
    const back = await visitor.open(await visitor.signIn(scene.console.url, 'guest'))
    expect(back).toMatchObject({ status: 303, to: `${scene.console.url}/sign-in?refused=CONSOLE_OIDC_NO_ROLE` })
    expect(back.setCookies.join()).not.toMatch(/malha-console-\d+=/)
    expect((await visitor.open(back.to!)).text).toContain('<html')
  })

  it('counts an answer of the issuer once, in the browser that asked, and as it asked for it', async () => {
    const { console } = scene
    const refused = `${console.url}/sign-in?refused=CONSOLE_OIDC_REFUSED`
    const visitor = new Visitor()
    const answer = await visitor.signIn(console.url, 'ana')
    const elsewhere = new Visitor()
    expect((await elsewhere.open(answer)).to).toBe(refused)
    expect((await visitor.open(answer)).to).toBe(`${console.url}/letters`)
    expect((await visitor.open(answer)).to).toBe(refused)

    // A code of somebody else's sign-in, with the state of one's own.
    const [one, two] = [new Visitor(), new Visitor()]
    const [his, hers] = [await one.signIn(console.url, 'ana'), await two.signIn(console.url, 'eva')].map(
      (to) => new URL(to),
    )
    his!.searchParams.set('code', hers!.searchParams.get('code')!)
    expect((await one.open(his!.href)).to).toBe(refused)
    const wrongState = new Visitor()
    const url = new URL(await wrongState.signIn(console.url, 'ana'))
    url.searchParams.set('state', 'another')
    expect((await wrongState.open(url.href)).to).toBe(refused)
    const denied = new Visitor()
    const begun = new URL((await denied.open(`${console.url}/api/session/oidc`)).to!)
    const no = `${console.url}/api/session/oidc/callback?error=access_denied&state=${begun.searchParams.get('state')}`
    expect((await denied.open(no)).to).toBe(refused)
  })

  it.each<[string, object, 'own' | 'foreign', RegExp]>([
    ['for another audience', { aud: 'another' }, 'own', /\baud\b/],
    ['of another issuer', { iss: 'https://evil.example' }, 'own', /\biss\b/],
    ['with another nonce', { nonce: 'another' }, 'own', /\bnonce\b/],
    ['that has expired', { exp: 1 }, 'own', /\bexp\b/],
    ['that another key signed', {}, 'foreign', /signature/],
  ])('refuses an ID token %s', async (_, claims, key, why) => {
    const { console, issuer, log } = scene
    const visitor = new Visitor()
    const answer = await visitor.signIn(console.url, 'ana')
    issuer.tamper(claims, key)
    expect((await visitor.open(answer)).to).toBe(`${console.url}/sign-in?refused=CONSOLE_OIDC_REFUSED`)
    expect(log.at(-1)).toMatch(why)
  })

  it('takes an ID token that is put together anew and right', async () => {
    const visitor = new Visitor()
    const answer = await visitor.signIn(scene.console.url, 'ana')
    scene.issuer.tamper({})
    expect((await visitor.open(answer)).to).toBe(`${scene.console.url}/letters`)
  })

  it('ends when somebody signs out, here and where the issuer says, and logs no secret on the way', async () => {
    const { console, issuer, log } = scene
    const headers = await signedIn('ana')
    const out = await ask(console, '/session', { method: 'DELETE', headers })
    const end = new URL(out.body['signOutUrl'] as string)
    expect(end.origin).toBe(issuer.url)
    expect(Object.fromEntries(end.searchParams)).toEqual({
      client_id: 'console',
      post_logout_redirect_uri: `${console.url}/`,
    })
    expect((await ask(console, '/letters', { headers })).status).toBe(401)
    expect(log.join('\n')).toContain('a sign-in by OpenID Connect was refused')
    expect(log.join('\n')).not.toMatch(/eyJ|"sub"|ana@example|mesh-operators|code=|not-to-be-seen/)
  })
})

it('a session ends with its time', async () => {
  await using short = await openScene({ sessionMs: 1000 })
  const headers = await signedIn('ana', short)
  await eventually(async () => expect((await ask(short.console, '/session', { headers })).body['actor']).toBe(null))
  expect((await ask(short.console, '/runs', { headers })).status).toBe(401)
})

it('an issuer that is away keeps nobody with a token out; the console says so, and takes sign-ins when it is back', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'console-'))
  await using _ = { [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
  const [secretFile, tokenFile] = [join(folder, 'secret'), join(folder, 'tokens')]
  await writeFile(secretFile, `${CLIENT.clientSecret}\n`)
  await writeFile(tokenFile, `robot viewer ${'0'.repeat(64)}\n`)
  await using test = await testMesh()
  await using issuer = await startIssuer()
  const { clientSecret: _secret, ...options } = issuer.options
  const oidc = { ...options, clientSecretFile: secretFile }
  await using console = await startConsole({ mesh: test.mesh, port: 0, tokenFile, oidc })
  const session = await ask(console, '/session')
  expect(session.body).toMatchObject({
    takesTokens: true,
    issuer: { host: new URL(issuer.url).host, awaySince: expect.stringMatching(/Z$/) },
  })
  const visitor = new Visitor()
  expect((await visitor.open(`${console.url}/api/session/oidc`)).to).toBe(
    `${console.url}/sign-in?refused=CONSOLE_OIDC_AWAY`,
  )
  issuer.open(console.url)
  expect(await signedIn('eva', { console })).toBeDefined()
  expect((await ask(console, '/session')).body).toMatchObject({ issuer: { awaySince: null } })
})
