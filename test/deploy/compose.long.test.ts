import { execFile } from 'node:child_process'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { eventually } from '@malha/testing'
import { afterAll, expect, test } from 'vitest'
import { journeyFaults } from '../traces/journey-faults.ts'
import { readTrace } from '../traces/trace.ts'
import { copyContext } from './assembled.ts'
import { readCompose, root } from './compose-file.ts'

const run = promisify(execFile)
/** Images are built, those of others fetched. */
const UP_MS = 900_000
const SOON_MS = 180_000

const opened = new AsyncDisposableStack()
afterAll(() => opened.disposeAsync(), SOON_MS)

type Compose = (...args: string[]) => Promise<string>

/** Compose on a copy of what it reads, with secrets of its own and any free ports: beside whatever else runs here. */
async function composeOf(): Promise<Compose> {
  const at = await mkdtemp(join(tmpdir(), 'malha-composed-'))
  opened.defer(() => rm(at, { recursive: true, force: true }))
  await copyContext(at)
  const isOwn = (path: string): boolean => !path.endsWith('/secrets')
  for (const part of ['images', 'compose', 'generated'])
    await cp(`${root}deploy/${part}`, join(at, 'deploy', part), { recursive: true, filter: isOwn })
  await run(process.execPath, [`${root}deploy/compose/make-secrets.ts`, join(at, 'deploy/compose/secrets')])
  const ports = Object.entries(readCompose().services).flatMap(([name, service]) => {
    const anyFree = service.ports?.map((port) => `127.0.0.1::${port.split(':').at(-1)}`)
    return anyFree ? [`  ${name}: { ports: !override ${JSON.stringify(anyFree)} }\n`] : []
  })
  await writeFile(join(at, 'ports.yaml'), `services:\n${ports.join('')}`)
  const project = ['--project-name', `malha-test-${process.pid}`]
  const files = ['--file', join(at, 'deploy/compose/compose.yaml'), '--file', join(at, 'ports.yaml')]
  return async (...args) => {
    const given = ['compose', ...project, ...files, '--profile', 'partners', ...args]
    return (await run('docker', given, { maxBuffer: 64 * 1024 * 1024 })).stdout
  }
}

type Container = { Service: string; State: string; Health: string; ExitCode: number }

const containersOf = async (compose: Compose): Promise<Container[]> =>
  (await compose('ps', '--all', '--format', 'json'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Container)

async function expectAllWell(compose: Compose): Promise<void> {
  await eventually(
    async () => {
      const states = (await containersOf(compose)).map((one) => [
        one.Service,
        one.Health || `${one.State} ${one.ExitCode}`,
      ])
      expect(states.length).toBeGreaterThan(10)
      expect(states.filter(([, state]) => state !== 'healthy')).toEqual([['provision', 'exited 0']])
    },
    { timeoutMs: SOON_MS, intervalMs: 2000 },
  )
}

type Centre = { id: string; status: string; traceId: string }

/** Registers a centre, and waits until every partner has it. */
async function onboard(api: string, name: string): Promise<Centre> {
  const body = JSON.stringify({ name, city: { name: 'Recife', state: 'PE', country: 'Brasil' } })
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`${api}/centers`, { method: 'POST', headers, body })
  expect(answer.status).toBe(202)
  const centre = (await answer.json()) as Centre
  const url = `${api}/centers/${centre.id}`
  await eventually(async () => expect(await (await fetch(url)).json()).toMatchObject({ name, status: 'onboarded' }), {
    timeoutMs: SOON_MS,
  })
  return centre
}

test(
  'a container engine builds and runs all of compose.yaml: a centre is onboarded in one whole trace, before and after the broker and ClickHouse are killed, and every process ends well',
  { timeout: UP_MS + 6 * SOON_MS },
  async ({ skip }) => {
    const isThere = await run('docker', ['info']).then(
      () => true,
      () => false,
    )
    if (!isThere) skip('no container engine answers `docker info`')
    const compose = await composeOf()
    opened.defer(async () => void (await compose('down', '--volumes')))
    const at = async (service: string, port: number): Promise<string> =>
      `http://${(await compose('port', service, String(port))).trim()}`

    await compose('up', '--build', '--detach')
    await expectAllWell(compose)
    const { traceId, id } = await onboard(await at('distribution-center', 8080), 'Boa Vista')
    const jaeger = await at('jaeger', 16686)
    await eventually(
      async () => {
        const spans = await readTrace(jaeger, traceId)
        expect([spans.length > 10, journeyFaults(spans)]).toEqual([true, []])
      },
      { timeoutMs: SOON_MS },
    )
    expect((await fetch(await at('console', 8090))).status).toBe(200)

    await compose('kill', 'nats', 'clickhouse')
    await compose('up', '--detach')
    await expectAllWell(compose)
    await onboard(await at('distribution-center', 8080), 'Graças')
    const kept = await fetch(`${await at('distribution-center', 8080)}/centers/${id}`)
    expect(await kept.json()).toMatchObject({ status: 'onboarded' })
    const query = ['run', '--rm', 'malha', 'archive', 'query', '--key', id, '--type', 'center.registered', '--json']
    await eventually(
      async () => expect((JSON.parse(await compose(...query)) as { events: unknown[] }).events).toHaveLength(1),
      { timeoutMs: SOON_MS },
    )

    await compose('stop')
    const ends = (await containersOf(compose)).map(({ Service, ExitCode }) => [Service, ExitCode])
    expect(ends.filter(([, code]) => code !== 0)).toEqual([])
  },
)
