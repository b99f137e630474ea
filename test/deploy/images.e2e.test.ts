import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseEnv, promisify } from 'node:util'
import { type Child, type ClickHouseServer, freePorts, startClickHouse } from '@malha/stack'
import { eventually, testServer, type TestServer } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect, nkeyAuthenticator } from '@nats-io/transport-node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { assemble, contentOf, copyContext, installedIn, listedIn } from './assembled.ts'
import { readCompose, root, targetOf } from './compose-file.ts'
import { type Containers, containers } from './container.ts'
import { readDockerfile } from './dockerfile.ts'

const run = promisify(execFile)
const stages = readDockerfile()
const images = [...stages.values()].filter(({ from }) => from === 'runtime')
const targets = [...new Set(images.map(({ assembled }) => assembled!))]
const compose = readCompose()

/** What nobody runs in production. */
const OF_DEVELOPMENT = /^(@malha\/testing|vitest|typescript|esbuild|oxlint|knip|@types\/.*|@chdb\/.*|playwright-core)@/
const MOST_FILES = 5000
const MOST_BYTES = 45_000_000
const STOP_MS = 30_000

let scratch = ''
let host: Containers
let nats: TestServer
let clickhouse: ClickHouseServer
/** Takes spans and webhooks. */
let listener = ''
const opened = new AsyncDisposableStack()

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'malha-images-'))
  opened.defer(() => rm(scratch, { recursive: true, force: true, maxRetries: 5 }))
  await chmod(scratch, 0o755)
  host = containers(scratch)
  await Promise.all([startOthers(), assembleAll()])
})

afterAll(() => opened.disposeAsync())

async function assembleAll(): Promise<void> {
  const context = join(scratch, 'context')
  await copyContext(context)
  await Promise.all(targets.map((target) => assemble(context, target, join(scratch, target))))
}

async function startOthers(): Promise<void> {
  const secrets = join(scratch, 'secrets')
  await run(process.execPath, [`${root}deploy/compose/make-secrets.ts`, secrets])
  await writeFile(join(secrets, 'webhook-url'), 'http://127.0.0.1:9/')
  await writeFile(join(secrets, 'none'), '')
  // As mounted into a container, where nobody else is.
  await chmod(secrets, 0o755)
  const server = createServer((request, response) => request.resume().on('end', () => response.end('{}')))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  opened.defer(() => new Promise((resolve) => server.close(() => resolve())))
  opened.defer(() => server.closeAllConnections())
  listener = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  await writeFile(join(secrets, 'webhook-url'), listener)
  nats = opened.use(await testServer({ config: await usersOfCompose(secrets) }))
  const { CLICKHOUSE_URL: _, ...env } = process.env
  clickhouse = opened.use(await startClickHouse({ dataDir: join(scratch, 'clickhouse'), env }))
}

/** The users that nats.conf includes, with the variables of its container. */
async function usersOfCompose(secrets: string): Promise<string> {
  const accounts = await readFile(`${root}deploy/generated/nats/accounts.conf`, 'utf8')
  const keys = parseEnv(await readFile(join(secrets, 'nats.env'), 'utf8'))
  const { NATS_MAX_FILE, NATS_MAX_MEM } = compose.services['nats']!.environment!
  const variables = Object.entries({ ...keys, NATS_MAX_FILE, NATS_MAX_MEM })
  return [...variables.map(([name, value]) => `${name}: ${value}`), accounts].join('\n')
}

type Running = { readonly child: Child; readonly ports: Readonly<Record<'health' | 'http' | 'control', number>> }

/** Runs a service of compose.yaml from its image, with the same environment but for addresses of this machine. */
async function start(name: string, given: Readonly<Record<string, string>> = {}): Promise<Running> {
  const service = compose.services[name]!
  const { environment = {}, volumes } = service
  const { env, command, assembled } = stages.get(targetOf(service))!
  const [health, http, control] = (await freePorts(3)) as [number, number, number]
  const writable = volumes && join(scratch, 'volumes', name)
  const here = (text: string): string =>
    text
      .replace('nats://nats:4222', nats.url)
      .replace('http://clickhouse:8123', clickhouse.url)
      .replace('http://jaeger:4318', listener)
      .replace('/run/secrets/', `${scratch}/secrets/`)
      .replace(/(secrets\/nats-[a-z-]+)$/, '$1.nk')
      .replace('/var/lib/malha', writable ?? '')
  const ports = { HEALTH_PORT: `${health}`, HTTP_PORT: `${http}`, CONSOLE_PORT: `${http}`, CONTROL_PORT: `${control}` }
  const local = Object.fromEntries(Object.entries({ ...env, ...environment }).map(([key, text]) => [key, here(text)]))
  const child = host.run({
    app: join(scratch, assembled!),
    args: command.slice(1),
    env: {
      PATH: '/usr/local/bin:/usr/bin:/bin',
      ...local,
      ...ports,
      // The embedded engine has no other user.
      ...('CLICKHOUSE_URL' in environment && {
        CLICKHOUSE_USER: 'default',
        CLICKHOUSE_PASSWORD_FILE: `${scratch}/secrets/none`,
      }),
      ...given,
    },
    ...(writable !== undefined && { writable }),
  })
  opened.defer(async () => void (await child.stop({ graceMs: 0 })))
  return { child, ports: { health, http, control } }
}

async function statusOf(url: string): Promise<number> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(5000) })
  await answer.arrayBuffer()
  return answer.status
}

async function answers({ child }: Running, url: string): Promise<void> {
  await eventually(
    async () => {
      if (child.exit) return
      expect([url, await statusOf(url)]).toEqual([url, 200])
    },
    { timeoutMs: 60_000 },
  )
  expect([child.exit, child.exit && child.tail]).toEqual([undefined, undefined])
}

test('an image holds its sources, what they need in production, and a list of exactly that', async () => {
  for (const target of targets) {
    const folder = join(scratch, target)
    const installed = await installedIn(folder)
    expect([target, installed]).toEqual([target, await listedIn(folder)])
    expect([target, installed.filter((name) => OF_DEVELOPMENT.test(name))]).toEqual([target, []])
    const { paths, bytes } = await contentOf(folder)
    const unwanted = paths.filter(
      (path) =>
        /(\.(test|spec|test-d)\.[cm]?[jt]sx?|\.node|\.so|\.map)$/.test(path) || /^packages\/[^@]*\/test\//.test(path),
    )
    expect([target, unwanted]).toEqual([target, []])
    expect([target, paths.length < MOST_FILES, bytes < MOST_BYTES]).toEqual([target, true, true])
  }
})

test('every image starts as its user on a root it cannot write, does its work, and ends it at SIGTERM', async () => {
  const partners = await Promise.all(['senninha', 'maas', 'dmitri'].map((name) => start(name, { LATENCY_MS: '1500' })))
  const urls = partners.map(({ ports }) => `http://127.0.0.1:${ports.http}`)
  const [senninha, maas, dmitri] = urls as [string, string, string]
  const { child: provision } = await start('provision')
  expect([(await provision.exited).code === 0, provision.tail]).toEqual([true, provision.tail])
  const services = {
    'distribution-center': await start('distribution-center'),
    provider: await start('provider', { SENNINHA_URL: senninha, MAAS_URL: maas }),
    'city-registration': await start('city-registration', { DMITRI_URL: dmitri }),
    archive: await start('archive'),
    console: await start('console'),
    notifier: await start('notifier'),
  }
  await Promise.all([
    ...partners.map((one) => answers(one, `http://127.0.0.1:${one.ports.control}/_fault`)),
    ...Object.values(services).flatMap((one) =>
      ['livez', 'readyz', 'metrics'].map((path) => answers(one, `http://127.0.0.1:${one.ports.health}/${path}`)),
    ),
  ])

  const page = await fetch(`http://127.0.0.1:${services.console.ports.http}/`)
  expect(await page.text()).toMatch(/src="\/assets\/page-[0-9A-Z]+\.js"/)

  const api = `http://127.0.0.1:${services['distribution-center'].ports.http}`
  const registered = await fetch(`${api}/centers`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'Centro Lapa', city: { name: 'São Paulo', state: 'SP', country: 'Brasil' } }),
  })
  expect(registered.status).toBe(202)
  const attempts = async ({ ports }: Running): Promise<number> => {
    const answer = await fetch(`http://127.0.0.1:${ports.control}/_received`)
    return ((await answer.json()) as { attempts: number }).attempts
  }
  await eventually(async () => expect(await Promise.all(partners.map(attempts))).toEqual([1, 1, 1]))

  // All three partners are at work on it, and answer after that.
  const stopping = Object.entries(services).map(async ([name, { child }]) => {
    const { code, signal } = await child.stop({ graceMs: STOP_MS })
    return [name, code === 0 ? 0 : [code, signal, child.tail]]
  })
  expect(await Promise.all(stopping)).toEqual(Object.keys(services).map((name) => [name, 0]))
  const durables = ['provider_senninha_keyed', 'provider_maas_keyed', 'city-registration_dmitri_keyed']
  expect(await Promise.all(durables.map(finished))).toEqual([1, 1, 1])
  expect(await Promise.all(partners.map(attempts))).toEqual([1, 1, 1])
  const ends = await Promise.all(partners.map(async ({ child }) => (await child.stop({ graceMs: STOP_MS })).code))
  expect(ends).toEqual([0, 0, 0])
})

/** How many events a handler has finished: nothing of them is left to be acknowledged. */
async function finished(durable: string): Promise<number> {
  const seed = await readFile(`${scratch}/secrets/nats-operator.nk`)
  await using connection = new AsyncDisposableStack()
  const nc = await connect({
    servers: nats.url,
    authenticator: nkeyAuthenticator(seed),
    inboxPrefix: '_INBOX_operator',
  })
  connection.defer(() => nc.close())
  const { ack_floor, num_ack_pending } = await (await jetstreamManager(nc)).consumers.info('CENTERS', durable)
  expect([durable, num_ack_pending]).toEqual([durable, 0])
  return ack_floor.consumer_seq
}

test('the image of the command looks at the mesh with the key of an operator', async () => {
  const { command, env, assembled } = stages.get('cli')!
  const streams = host.run({
    app: join(scratch, assembled!),
    args: [...command.slice(1, -1), 'streams', '--json'],
    env: {
      ...env,
      PATH: '/bin',
      NATS_URL: nats.url,
      NATS_NKEY_SEED_FILE: `${scratch}/secrets/nats-operator.nk`,
      NATS_INBOX_PREFIX: '_INBOX_operator',
    },
  })
  expect([(await streams.exited).code, streams.tail.join('\n')]).toEqual([0, expect.stringContaining('CENTERS')])
})

test('a program that does not listen yet ends at SIGTERM, though it is process 1', async () => {
  const { command } = stages.get('provider')!
  const program = 'console.log(process.pid); setInterval(() => {}, 1000)'
  const child = host.run({
    app: join(scratch, 'provider'),
    args: [...command.slice(1, 3), '--eval', program],
    env: { PATH: '/bin' },
  })
  await eventually(() => expect(child.tail).toHaveLength(1))
  expect((await child.stop({ graceMs: STOP_MS })).code).toBe(143)
})

test('where namespaces are to be had, an image is run with the isolation of a container', async () => {
  const script = `
    const { writeFileSync } = require('node:fs')
    const written = ['x', '/tmp/x', '/x'].filter((file) => { try { writeFileSync(file, ''); return true } catch { return false } })
    console.log(JSON.stringify({ pid: process.pid, uid: process.getuid(), written }))`
  const child = host.run({ app: join(scratch, 'cli'), args: ['-e', script], env: { PATH: '/bin' } })
  await child.exited
  const seen = JSON.parse(child.tail.join('')) as { pid: number; uid: number; written: string[] }
  const confined = { pid: 1, uid: 10_001, written: [] }
  const less = { ...seen, written: seen.written.filter((file) => file !== 'x') }
  expect(seen).toEqual(host.confinement === 'namespaces' ? confined : less)
})
