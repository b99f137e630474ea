import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePorts, spawnChild, startClickHouse, startNats } from '@malha/stack'
import { eventually, testServer } from '@malha/testing'
import { nkeys } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { inheritedEnv } from '../reference/processes.ts'

const secret = (): string => `Sup3r-${randomBytes(9).toString('hex')}`
const seedOf = (user: ReturnType<typeof nkeys.createUser>): string => new TextDecoder().decode(user.getSeed())

const MAINS = ['services/distribution-center', 'services/provider', 'services/city-registration', 'archive']

/** A service as it is shipped, at the level that tells most; what it writes is kept. */
function start(main: string, env: Record<string, string>) {
  const output: string[] = []
  const child = spawnChild({
    command: process.execPath,
    args: [fileURLToPath(new URL(`../../packages/${main}/src/main.ts`, import.meta.url))],
    env: {
      ...inheritedEnv(),
      LOG_LEVEL: 'trace',
      HTTP_PORT: '0',
      HEALTH_PORT: '0',
      CLICKHOUSE_URL: 'http://127.0.0.1:1',
      SENNINHA_URL: 'http://127.0.0.1:1',
      MAAS_URL: 'http://127.0.0.1:1',
      DMITRI_URL: 'http://127.0.0.1:1',
      ...env,
    },
    onLine: (line) => output.push(line),
  })
  return { output, child, [Symbol.asyncDispose]: async () => void (await child.stop()) }
}

/** A secret is found as it is, and as it looks in a URL or in Base64. */
function leaks(output: readonly string[], secrets: readonly string[]): string[] {
  const shapes = secrets.flatMap((text) => [text, encodeURIComponent(text), Buffer.from(text).toString('base64')])
  return output.filter((line) => shapes.some((shape) => line.includes(shape)))
}

async function credentialFiles() {
  const dir = await mkdtemp(join(tmpdir(), 'malha-credentials-'))
  const seeds = [seedOf(nkeys.createUser()), seedOf(nkeys.createUser())] as const
  const jwt = `eyJ0eXAiOiJKV1QifQ.${randomBytes(60).toString('base64url')}.${randomBytes(40).toString('base64url')}`
  const creds = [
    `-----BEGIN NATS USER JWT-----\n${jwt}\n------END NATS USER JWT------\n`,
    `-----BEGIN USER NKEY SEED-----\n${seeds[0]}\n------END USER NKEY SEED------\n`,
  ].join('\n')
  await writeFile(join(dir, 'user.creds'), creds)
  await writeFile(join(dir, 'user.nk'), `${seeds[1]}\n`)
  return {
    creds: join(dir, 'user.creds'),
    seed: join(dir, 'user.nk'),
    secrets: [jwt, ...seeds],
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  }
}

test(
  'whichever the service, and whatever kind of credentials the server does not know, the process ends with one line that helps and no secret',
  { timeout: 180_000 },
  async () => {
    await using files = await credentialFiles()
    const [password, token] = [secret(), secret()]
    const stranger = nkeys.createUser().getPublicKey()
    const users = `authorization { users: [{user: app, password: "${secret()}"}, {nkey: ${stranger}}] }`
    await using server = await testServer({ config: users })
    await using tokens = await testServer({ config: `authorization { token: "${secret()}" }` })
    const inUrl = server.url.replace('//', `//app:${password}@`)
    const kinds: Record<string, Record<string, string>> = {
      none: { NATS_URL: server.url },
      password: { NATS_URL: server.url, NATS_USER: 'app', NATS_PASSWORD: password },
      'password in the URL': { NATS_URL: inUrl },
      token: { NATS_URL: tokens.url, NATS_TOKEN: token },
      'creds file': { NATS_URL: server.url, NATS_CREDS_FILE: files.creds },
      'nkey seed': { NATS_URL: server.url, NATS_NKEY_SEED_FILE: files.seed },
    }
    const secrets = [password, token, ...files.secrets]
    // Not each service with each kind: they connect by the same code.
    const runs = Object.entries(kinds).map(([kind, env], n) => ({ kind, main: MAINS[n % MAINS.length]!, env }))
    const refuse = async ({ kind, main, env }: (typeof runs)[number]): Promise<void> => {
      await using process = start(main, env)
      const { code } = await process.child.exited
      expect({ main, kind, code, leaks: leaks(process.output, secrets) }).toEqual({ main, kind, code: 1, leaks: [] })
      const last = JSON.parse(process.output.at(-1)!) as { level: string }
      expect(last.level).toBe('fatal')
      expect(JSON.stringify(last)).toMatch(/MESH_AUTH_FAILED/)
      expect(JSON.stringify(last)).toContain(new URL(env['NATS_URL']!).host)
    }
    while (runs.length > 0) await Promise.all(runs.splice(0, 3).map(refuse))
  },
)

test(
  'a service whose password is changed under it stays up, is not ready, says why without it, and goes on',
  { timeout: 180_000 },
  async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'malha-credentials-'))
    await using opened = new AsyncDisposableStack()
    opened.defer(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }))
    const [port, health] = (await freePorts(2)) as [number, number]
    const password = secret()
    const serve = (known: string) =>
      startNats({ dataDir, port, config: `authorization { user: app, password: "${known}" }` })
    const right = await serve(password)
    const env = { NATS_URL: right.url, NATS_USER: 'app', NATS_PASSWORD: password, HEALTH_PORT: String(health) }
    const process = opened.use(start('services/provider', env))
    const ready = async (): Promise<number> => (await fetch(`http://127.0.0.1:${health}/readyz`)).status
    await eventually(async () => expect(await ready()).toBe(200), { timeoutMs: 30_000 })
    await right.stop()
    const wrong = await serve(secret())
    await eventually(() => expect(process.output.join('\n')).toMatch(/auth/i), { timeoutMs: 30_000 })
    expect(await ready()).toBe(503)
    await wrong.stop()
    opened.use(await serve(password))
    await eventually(async () => expect(await ready()).toBe(200), { timeoutMs: 30_000 })
    expect(process.child.exit).toBeUndefined()
    expect(leaks(process.output, [password])).toEqual([])
  },
)

test(
  'an archive with a wrong ClickHouse password is not ready and says so without it',
  { timeout: 180_000 },
  async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'malha-credentials-'))
    await using opened = new AsyncDisposableStack()
    opened.defer(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }))
    const { CLICKHOUSE_URL: _, ...env } = process.env
    const clickhouse = opened.use(await startClickHouse({ dataDir, env }))
    const nats = opened.use(await testServer())
    const [health] = (await freePorts(1)) as [number]
    const password = secret()
    const settings = { NATS_URL: nats.url, HEALTH_PORT: String(health), CLICKHOUSE_USER: 'default' }
    const ways = [
      { CLICKHOUSE_URL: clickhouse.url, CLICKHOUSE_PASSWORD: password },
      { CLICKHOUSE_URL: clickhouse.url.replace('//', `//default:${password}@`) },
    ]
    for (const way of ways) {
      await using archive = start('archive', { ...settings, ...way })
      const body = await eventually(
        async () => {
          const answer = await fetch(`http://127.0.0.1:${health}/readyz`)
          const text = await answer.text()
          expect([answer.status, text]).toEqual([
            503,
            expect.stringMatching(/ClickHouse at 127.*Authentication failed/i),
          ])
          return text
        },
        { timeoutMs: 30_000 },
      )
      expect(leaks([...archive.output, body], [password])).toEqual([])
    }
  },
)
