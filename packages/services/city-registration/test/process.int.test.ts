import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CenterRegistered, centerRegistered, cityRegistered, partners } from '@malha/contracts'
import { type Fault, startPartner, up } from '@malha/partner-simulator'
import { defineService } from '@malha/mesh'
import { freePorts } from '@malha/stack'
import { eventually, testMesh, type TestMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { ready, runService } from './service-process.ts'

const patient = { timeoutMs: 60_000, intervalMs: 100 }
/** Whoever registers centres: the streams are there before the service is. */
const api = defineService('api', { handlers: {}, publishes: [centerRegistered] })
const fault = (mode: Fault['mode'], more: Partial<Fault> = {}): Fault => ({ ...up, mode, ...more })

test.concurrent(
  'what dmitri missed while it was away, and what a killed process had in hand, is registered once',
  { timeout: 240_000 },
  async () => {
    await using dmitri = await startPartner({ partner: 'dmitri', fault: fault('down') })
    await using bench = await testMesh()
    const [port = 0] = await freePorts(1)
    const env = envOf(bench, dmitri.url, port)
    await bench.mesh.provision(api)
    await register(bench, 40)
    {
      await using first = runService(env)
      await ready(`http://127.0.0.1:${port}`)
      await eventually(() => first.lines.some(({ msg }) => /breaker|open/i.test(String(msg))), patient)
      await dmitri.setFault(fault('slow', { latencyMs: 400 }))
      await eventually(() => dmitri.received().attempts >= 2, patient)
      // So late that none of these calls is answered before the kill.
      await dmitri.setFault(fault('slow', { latencyMs: 5_000 }))
      const before = dmitri.received().attempts
      await eventually(() => dmitri.received().attempts >= before + 3, patient)
      first.kill('SIGKILL')
      expect(await first.exit).toMatchObject({ signal: 'SIGKILL' })
    }
    await dmitri.setFault(up)
    await using second = runService(env)
    await eventually(async () => expect(await registered(bench)).toEqual(Array.from({ length: 40 }, () => 1)), patient)
    const { created, byCenter } = dmitri.received()
    expect(created).toBe(40)
    for (const { effects, keys } of Object.values(byCenter)) expect([effects, keys.length]).toEqual([1, 1])

    second.kill('SIGTERM')
    expect(await second.exit).toEqual({ code: 0, signal: null, stderr: '' })
  },
)

test.concurrent(
  'SIGTERM in the middle of calls lets them finish: every centre is asked for once',
  { timeout: 240_000 },
  async () => {
    await using dmitri = await startPartner({ partner: 'dmitri', latencyMs: 400, fault: up })
    await using bench = await testMesh()
    const [port = 0] = await freePorts(1)
    const env = envOf(bench, dmitri.url, port)
    await bench.mesh.provision(api)
    await register(bench, 150)
    for (let stops = 1; stops <= 2; stops++) {
      await using service = runService(env)
      await eventually(() => dmitri.received().attempts >= stops * 40, { ...patient, intervalMs: 5 })
      service.kill('SIGTERM')
      expect(await service.exit).toEqual({ code: 0, signal: null, stderr: '' })
    }
    await using _last = runService(env)
    await eventually(async () => expect(await registered(bench)).toHaveLength(150), patient)
    expect(dmitri.received()).toMatchObject({ created: 150, attempts: 150 })
  },
)

test(
  'an idle service takes at most 140 MB, traced, with the compile cache that `malha up` gives it',
  { timeout: 180_000 },
  async () => {
    await using bench = await testMesh()
    await using cache = await temporaryFolder()
    const [port = 0] = await freePorts(1)
    const traced = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', NODE_COMPILE_CACHE: cache.path }
    const env = { ...envOf(bench, 'http://127.0.0.1:9', port), ...traced }
    // The first run fills the cache, at its proper end.
    const rssMb: number[] = []
    for (let run = 0; run < 2; run++) {
      await using service = runService(env)
      await ready(`http://127.0.0.1:${port}`)
      rssMb.push(await service.rssMb())
      service.kill('SIGTERM')
      expect(await service.exit).toMatchObject({ code: 0 })
    }
    expect(rssMb[1]).toBeLessThan(140)
  },
)

test.for([
  [
    'a faulty environment',
    { DMITRI_URL: 'http://me:s3cret@dmitri.example', HEALTH_PORT: 'x' },
    ['NATS_URL', 'DMITRI_URL', 'HEALTH_PORT'],
  ],
  [
    'an unreachable broker',
    { DMITRI_URL: 'http://127.0.0.1:9', NATS_URL: 'nats://me:s3cret@127.0.0.1:9' },
    ['127.0.0.1:9'],
  ],
  ['a log level nobody knows', { LOG_LEVEL: 'loud' }, ['LOG_LEVEL']],
] as const)('%s ends the start with one readable line, without secrets, and code 1', async ([, env, said]) => {
  await using service = runService(env)
  expect(await service.exit).toEqual({ code: 1, signal: null, stderr: '' })
  const fatal = service.lines.filter(({ level }) => level === 'fatal')
  expect(fatal).toHaveLength(1)
  for (const word of said) expect(fatal[0]?.['msg']).toContain(word)
  expect(JSON.stringify(service.lines)).not.toMatch(/s3cret|node_modules|at file:/)
})

function envOf({ url, namespace }: TestMesh, dmitriUrl: string, port: number): Record<string, string> {
  return { NATS_URL: url, MALHA_NAMESPACE: namespace, DMITRI_URL: dmitriUrl, HEALTH_PORT: String(port) }
}

async function register({ mesh }: TestMesh, count: number): Promise<void> {
  const city = { name: 'São Luís', state: 'Maranhão', country: 'Brazil', geonameId: 3_388_368 }
  const centers = Array.from({ length: count }, (_, at): CenterRegistered => ({ centerId: `c${at}`, name: 'CD', city }))
  await Promise.all(centers.map((center) => mesh.publish(centerRegistered, center, { once: true })))
}

/** How many `city.registered` there are of each centre. */
async function registered({ mesh }: TestMesh): Promise<number[]> {
  const jsm = await jetstreamManager(mesh.nats)
  const filter = mesh.names.subject(`${cityRegistered.type}.>`)
  const { state } = await jsm.streams.info(mesh.names.stream(partners), { subjects_filter: filter })
  return Object.values(state.subjects ?? {})
}

async function temporaryFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'city-registration-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}
