import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { testMesh } from '@malha/testing'
import { describe, expect, it } from 'vitest'
import { newToken, startConsole } from '../src/index.ts'
import { ask, askRaw } from './asking.ts'

/** Everything that changes something. */
const WRITES = [
  ['/runs', { filter: { service: 'shop' } }],
  ['/runs/20261122-101500-3fa9c1/pause', undefined],
  ['/runs/20261122-101500-3fa9c1/resume', undefined],
  ['/runs/20261122-101500-3fa9c1/cancel', undefined],
  ['/runs/20261122-101500-3fa9c1/work', undefined],
  ['/replays', { service: 'shop', handler: 'bill' }],
  ['/handlers/shop/bill/pause', { reason: 'x' }],
  ['/handlers/shop/bill/resume', undefined],
  ['/events', { type: 'order.placed', data: {} }],
  ['/letters/1/discard', { reason: 'x' }],
  ['/letters/1/reopen', { reason: 'x' }],
  ['/letters/1/correction', { reason: 'x', payload: '{}' }],
] as const

describe('a console without tokens', () => {
  it('listens on this machine alone, and is not started elsewhere', async () => {
    await using test = await testMesh()
    for (const host of ['0.0.0.0', '::', '192.0.2.1'])
      await expect(startConsole({ mesh: test.mesh, host, port: 0 })).rejects.toThrow(
        /CONSOLE_OPEN_ELSEWHERE: it would listen on .*: give a token file or an issuer of OpenID Connect, or listen on 127\.0\.0\.1/,
      )
    await using console = await startConsole({ mesh: test.mesh, port: 0 })
    expect(console.url).toMatch(/^http:\/\/127\.0\.0\.1:/)
  })

  it('lets nobody change anything unless it was told so, and what needs more than it gives is refused', async () => {
    await using test = await testMesh()
    await using viewing = await startConsole({ mesh: test.mesh, port: 0 })
    await using operating = await startConsole({ mesh: test.mesh, port: 0, role: 'operator' })
    for (const [path, body] of WRITES)
      expect(await ask(viewing, path, { method: 'POST', body })).toMatchObject({
        status: 403,
        body: { code: 'CONSOLE_ROLE_LACKING' },
      })
    for (const [path, body] of WRITES)
      expect((await ask(operating, path, { method: 'POST', body })).body).not.toMatchObject({
        code: 'CONSOLE_ROLE_LACKING',
      })
    const all = { filter: {} }
    expect(await ask(operating, '/runs', { body: all })).toMatchObject({
      status: 403,
      body: { code: 'CONSOLE_ROLE_LACKING', detail: expect.stringContaining('needs admin') },
    })
  })

  it('changes nothing for a page of another site, and answers under its own names alone', async () => {
    await using test = await testMesh()
    await using console = await startConsole({ mesh: test.mesh, port: 0, role: 'admin' })
    const foreign: Record<string, string>[] = [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: 'http://127.0.0.1:1' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site', origin: console.url },
    ]
    for (const headers of foreign)
      for (const [path, body] of WRITES)
        expect(await ask(console, path, { method: 'POST', body, headers })).toMatchObject({
          status: 403,
          body: { code: 'CONSOLE_FOREIGN_ORIGIN' },
        })
    const own = { origin: console.url, 'sec-fetch-site': 'same-origin' }
    expect((await ask(console, '/letters/1/discard', { body: { reason: 'x' }, headers: own })).status).toBe(404)
    // A name of somebody else that leads here.
    expect(await askRaw(console, '/api/letters', { host: 'evil.example' })).toBe(421)
    expect(await askRaw(console, '/', { host: 'evil.example' })).toBe(421)
    expect(await askRaw(console, '/api/session', { host: 'localhost:1234' })).toBe(200)
  })

  it('says in its headers that nothing but its own may run, and describes its API', async () => {
    await using test = await testMesh()
    await using console = await startConsole({ mesh: test.mesh, port: 0 })
    const page = await fetch(`${console.url}/letters?state=open`)
    const policy = page.headers.get('content-security-policy')!
    expect(policy).toContain("default-src 'none'")
    expect(policy).not.toContain('unsafe')
    const html = await page.text()
    expect(html).not.toMatch(/https?:\/\//)
    expect(html).not.toMatch(/<(script|style)[^>]*>[^<]/)
    const { body } = await ask(console, '/openapi.json')
    const paths = Object.keys((body as { paths: object }).paths)
    for (const [path] of WRITES) {
      const pattern = `/api${path.replace('/shop/bill/', '/{service}/{handler}/').replace(/\/\d+(-[\w-]+)?(?=\/)/, (id) => (id.includes('-') ? '/{id}' : '/{seq}'))}`
      expect(paths).toContain(pattern)
    }
    expect(await ask(console, '/nothing')).toMatchObject({ status: 404, body: { code: 'CONSOLE_UNKNOWN_PATH' } })
  })
})

describe('a console with tokens', () => {
  it('lets in who has one, as what its line says, for as long as the line is there', async () => {
    await using files = await folder()
    const caller = newToken('on-call', 'operator')
    const guest = newToken('guest', 'viewer')
    const file = join(files.path, 'tokens')
    await writeFile(file, `# who\n${caller.line}\n${guest.line}\n`)
    await using test = await testMesh()
    await using console = await startConsole({ mesh: test.mesh, port: 0, tokenFile: file })
    expect(await ask(console, '/letters')).toMatchObject({ status: 401, body: { code: 'CONSOLE_SIGN_IN' } })
    expect(await ask(console, '/session')).toMatchObject({ body: { signsIn: true, actor: null, server: null } })
    expect(await ask(console, '/session', { body: { token: 'malha_wrong' } })).toMatchObject({ status: 401 })

    const signedIn = await ask(console, '/session', { body: { token: caller.token } })
    expect(signedIn.body).toMatchObject({ actor: { name: 'on-call', role: 'operator' } })
    const given = signedIn.headers.get('set-cookie')!
    expect(given).toMatch(/HttpOnly/)
    expect(given).toMatch(/SameSite=Strict/)
    expect(given).not.toContain(caller.token)
    const headers = { cookie: given.split(';')[0]! }
    const bearer = { authorization: `Bearer ${guest.token}` }
    expect((await ask(console, '/letters/1/discard', { body: { reason: 'x' }, headers })).status).toBe(404)
    expect((await ask(console, '/letters/1/discard', { body: { reason: 'x' }, headers: bearer })).status).toBe(403)

    await writeFile(file, `${guest.line}\n`)
    await utimes(file, new Date(), new Date(Date.now() + 5000))
    expect(await ask(console, '/runs', { headers })).toMatchObject({ status: 401 })
    expect(await ask(console, '/runs', { headers: bearer })).toMatchObject({ status: 200, body: { runs: [] } })
  })

  it('forgets who signs out, and hears a guesser ten times a minute', async () => {
    await using files = await folder()
    const caller = newToken('on-call', 'admin')
    const file = join(files.path, 'tokens')
    await writeFile(file, caller.line)
    await using test = await testMesh()
    await using console = await startConsole({ mesh: test.mesh, port: 0, tokenFile: file })
    const given = (await ask(console, '/session', { body: { token: caller.token } })).headers.get('set-cookie')!
    const headers = { cookie: given.split(';')[0]! }
    expect((await ask(console, '/runs', { headers })).status).toBe(200)
    await ask(console, '/session', { method: 'DELETE', headers })
    expect((await ask(console, '/runs', { headers })).status).toBe(401)
    const statuses: number[] = []
    for (let n = 0; n < 10; n++) statuses.push((await ask(console, '/session', { body: { token: `t${n}` } })).status)
    expect(statuses.slice(0, 9)).toEqual(Array.from({ length: 9 }, () => 401))
    expect(statuses[9]).toBe(429)
  })
})

async function folder(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'console-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}
