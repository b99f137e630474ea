import { join } from 'node:path'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { eventually } from '@malha/testing'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { headers } from '@nats-io/transport-node'
import { freePorts, startTraces, superviseProcess } from '@malha/stack'
import { expect, it } from 'vitest'
import { registerCenters, untilOnboarded } from '../kills/centers.ts'
import { expectOneEffectEach, setFault } from '../kills/evidence.ts'
import { type ReferenceMesh, referenceMesh } from '../kills/reference-mesh.ts'
import { malhaAs } from '../malha-command.ts'
import { inheritedEnv, mainOf, serviceNames } from '../reference/processes.ts'
import { hopsOf, journeyFaults, mostAttempts } from '../traces/journey-faults.ts'
import { readTrace, type TraceSpan } from '../traces/trace.ts'

const CENTERS = 20
const SPOOLS = 'distribution-center'
/** Of an event that is read by four handlers. */
const LETTERS = 4

it('the reference mesh retries, dead-letters, archives and replays with generated rights, each process with its own; nothing is refused, and each journey is one whole trace', async () => {
  await using opened = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'malha-deployed-'))
  opened.defer(() => rm(folder, { recursive: true, force: true }))
  const spool = join(folder, 'spool.db')
  const traces = opened.use(await startTraces())
  const env = Object.fromEntries(
    serviceNames.map((name) => [
      name,
      { OTEL_EXPORTER_OTLP_ENDPOINT: traces.otlpUrl, ...(name === SPOOLS && { MALHA_SPOOL_FILE: spool }) },
    ]),
  )
  const mesh = opened.use(await referenceMesh({ env }))
  /** Runs a command as a user; what it printed. */
  const as = async (user: string, ...args: string[]): Promise<string> => {
    await using command = malhaAs(mesh.as(user), ...args)
    const code = await command.ended
    expect({ args, code, stderr: code === 0 ? '' : command.stderr }).toEqual({ args, code: 0, stderr: '' })
    return command.stdout
  }

  // What no release of these handlers can read.
  const foreign = headers()
  for (const [name, value] of [
    ['ce-id', 'foreign'],
    ['ce-type', 'center.registered'],
  ] as const)
    foreign.set(name, value)
  await jetstream(mesh.watch).publish('center.registered.0.foreign', '{"centre":1}', { headers: foreign })
  const jsm = await jetstreamManager(mesh.watch)
  const messages = async (stream: string): Promise<number> => (await jsm.streams.info(stream)).state.messages
  await eventually(async () => expect(await messages('DEAD_LETTERS')).toBe(LETTERS), { timeoutMs: 60_000 })
  await setFault(mesh, 'senninha', { mode: 'down' })
  const ids = await registerCenters(mesh, 'deployed', CENTERS)
  await eventually(async () => expect(await messages('MESH')).toBeGreaterThan(CENTERS), { timeoutMs: 60_000 })
  await setFault(mesh, 'senninha', { mode: 'up' })
  await untilOnboarded(mesh, ids, 60_000)
  await expectOneEffectEach(mesh, ids)

  const [letters] = await Promise.all([
    as('viewer', 'dlq', 'list', '--json'),
    as('viewer', 'handlers', 'list', '--json'),
    as('viewer', 'streams', '--json'),
    as('operator', 'dlq', 'discard', '1', '--reason', 'nobody can read it', '--json'),
    as('operator', 'handlers', 'pause', 'provider/senninha', '--reason', 'a test', '--json'),
  ])
  expect(JSON.parse(letters)).toMatchObject({ total: LETTERS })
  await expectWholeTraces({ mesh, tracesUrl: traces.queryUrl, ids })
  const key = ids[0]!
  await as('operator', 'replay', '--service', 'provider', '--handler', 'maas', '--key', key, '--json')
  await expectLinksBothWays({ mesh, tracesUrl: traces.queryUrl, id: key })
  await expectOneEffectEach(mesh, ids)
  await consoleWorks(mesh, ids[0]!)
  const audited = ['archive', 'audit', '--clickhouse', mesh.clickhouseUrl, '--wait', '30', '--json']
  expect(JSON.parse(await as('archive', ...audited))).toMatchObject({ clean: true })
  expect(mesh.output.filter((line) => /^nats .*(violation|error)/i.test(line))).toEqual([])
})

/** By which each centre is handled, with what. */
const HOPS = [
  'city-registration_dmitri center.registered',
  'distribution-center_city city.registered',
  'distribution-center_onboarded center.onboarded',
  'distribution-center_provider provider.created',
  'distribution-center_provider provider.created',
  'distribution-center_registered center.registered',
  'provider_maas center.registered',
  'provider_senninha center.registered',
]

type Traced = { mesh: ReferenceMesh; tracesUrl: string }

const traceOf = async ({ mesh }: Traced, id: string): Promise<string> =>
  ((await (await fetch(`${mesh.api}/centers/${id}`)).json()) as { traceId: string }).traceId

/** One trace a centre, from `POST /centers` to `center.onboarded`, with every hop and attempt, and nothing that Jaeger warns of. */
async function expectWholeTraces(traced: Traced & { ids: readonly string[] }): Promise<void> {
  let most = 0
  for (const id of traced.ids) {
    const traceId = await traceOf(traced, id)
    await eventually(
      async () => {
        const spans = await readTrace(traced.tracesUrl, traceId)
        expect(hopsOf(spans).filter((hop) => !hop.includes('attempt'))).toEqual(HOPS)
        expect(journeyFaults(spans)).toEqual([])
        expect(spans.find(({ parentId }) => parentId === undefined)?.name).toBe('POST /centers')
        most = Math.max(most, mostAttempts(spans))
      },
      { timeoutMs: 30_000 },
    )
  }
  expect(most).toBeGreaterThan(1)
}

/** From the trace of a centre to that of its replay, by what Jaeger shows, and back to the very span that published. */
async function expectLinksBothWays(traced: Traced & { id: string }): Promise<void> {
  const read = (traceId: string): Promise<TraceSpan[]> => readTrace(traced.tracesUrl, traceId)
  const before = await traceOf(traced, traced.id)
  await eventually(
    async () => {
      const old = await read(before)
      const mark = old.find(({ name }) => name === 'replay center.registered')
      const [forward] = mark?.links ?? []
      expect(forward?.traceId).not.toBe(before)
      const again = await read(forward!.traceId)
      const first = again.find(({ spanId }) => spanId === forward!.spanId)
      const [back] = first?.links ?? []
      expect(old.find(({ spanId }) => spanId === back?.spanId)?.name).toBe('publish center.registered')
      expect(back?.traceId).toBe(before)
      expect(hopsOf(again)).toEqual(['provider_maas center.registered'])
      expect([...journeyFaults(old), ...journeyFaults(again)]).toEqual([])
    },
    { timeoutMs: 30_000 },
  )
}

/** Its process, with its own user: every page has what it shows, and what people do from it is done. */
async function consoleWorks(mesh: ReferenceMesh, id: string): Promise<void> {
  const [port, health] = await freePorts(2)
  const url = `http://127.0.0.1:${port}/api`
  await using console = superviseProcess({
    name: 'console',
    command: process.execPath,
    args: [mainOf('console')],
    env: {
      ...inheritedEnv(),
      ...mesh.as('console'),
      CLICKHOUSE_URL: mesh.clickhouseUrl,
      CONSOLE_PORT: String(port),
      CONSOLE_ROLE: 'admin',
      HEALTH_PORT: String(health),
    },
    readyUrl: `http://127.0.0.1:${health}/readyz`,
  })
  await console.whenReady({ timeoutMs: 60_000 })
  const ask = async (path: string, body?: object): Promise<Record<string, unknown>> => {
    const response = await fetch(`${url}${path}`, {
      ...(body && { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    })
    const text = await response.text()
    expect([path, response.ok, text]).toEqual([path, true, text])
    return JSON.parse(text) as Record<string, unknown>
  }
  await eventually(async () => expect(await ask('/letters?state=open')).toMatchObject({ total: LETTERS - 1 }))
  for (const path of ['/letters/2', '/runs', '/handlers', '/limits', '/doctor', '/audit', '/contracts']) await ask(path)
  for (const path of ['/events', `/journey?of=${id}`]) await ask(path)
  await ask('/letters/2/discard', { reason: 'nobody can read it' })
  await ask('/letters/2/reopen', { reason: 'somebody may' })
  await ask('/handlers/provider/maas/pause', { reason: 'a test' })
  await ask('/handlers/provider/maas/resume', {})
  // Letter 2 may be of `senninha`, which was paused before: a run that sends it again would wait for that handler.
  await ask('/handlers/provider/senninha/resume', {})
  const run = await ask('/runs', { filter: { letters: [2] } })
  await eventually(async () => expect(await ask(`/runs/${String(run['id'])}`)).toMatchObject({ state: 'done' }), {
    timeoutMs: 30_000,
  })
}
