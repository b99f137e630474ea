import { join } from 'node:path'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { deployment } from '@malha/deploy'
import { startTraces } from '@malha/stack'
import { eventually } from '@malha/testing'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { headers } from '@nats-io/transport-node'
import { afterEach, expect, it, vi } from 'vitest'
import { registerCenters, untilOnboarded } from '../kills/centers.ts'
import { expectOneEffectEach, setFault } from '../kills/evidence.ts'
import { type ReferenceMesh, referenceMesh } from '../kills/reference-mesh.ts'
import { malha } from '../malha-command.ts'
import { hopsOf, journeyFaults, mostAttempts } from '../traces/journey-faults.ts'
import { readTrace, type TraceSpan } from '../traces/trace.ts'
import { deploymentUsers } from './users.ts'

afterEach(() => vi.unstubAllEnvs())

const CENTERS = 20
const SPOOLS = 'distribution-center'
/** Of an event that is read by four handlers. */
const LETTERS = 4

it('the reference mesh retries, dead-letters, archives and replays with generated rights, each process with its own; nothing is refused, and each journey is one whole trace', async () => {
  await using opened = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'malha-deployed-'))
  opened.defer(() => rm(folder, { recursive: true, force: true }))
  const spool = join(folder, 'spool.db')
  const users = opened.use(await deploymentUsers(deployment))
  const traces = opened.use(await startTraces())
  const mesh = opened.use(
    await referenceMesh({
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: traces.otlpUrl },
      users: { ...users, as: (user) => ({ ...users.as(user), ...(user === SPOOLS && { MALHA_SPOOL_FILE: spool }) }) },
    }),
  )
  /** Runs a command as a user; what it printed. */
  const as = async (user: string, ...args: string[]): Promise<string> => {
    for (const [name, value] of Object.entries(users.as(user))) vi.stubEnv(name, value)
    await using command = malha(...args, '--server', mesh.nats.server.url)
    const code = await command.ended
    expect({ args, code, stderr: code === 0 ? '' : command.stderr }).toEqual({ args, code: 0, stderr: '' })
    return command.stdout
  }

  await setFault(mesh, 'senninha', { mode: 'down' })
  const ids = await registerCenters(mesh, 'deployed', CENTERS)
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
