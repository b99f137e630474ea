import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cityRegistered, providerCreated } from '@malha/contracts'
import { archiveStreams, auditArchive, type ClickHouseOptions } from '@malha/archive'
import { attemptFailed } from '@malha/mesh'
import { startClickHouse } from '@malha/stack'
import { eventually, testMesh, type TestMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { afterAll, expect, test } from 'vitest'
import { rebuildStatus, replaceStatus } from '../src/mesh/rebuild-status.ts'
import type { ReadModel } from '../src/status/read-model.ts'
import { find, recife, register } from './http-client.ts'
import { runningApi, type RunningApi } from './running-api.ts'

const opened = new AsyncDisposableStack()
afterAll(() => opened.disposeAsync())
const dataDir = await mkdtemp(join(tmpdir(), 'malha-past-'))
opened.defer(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }))
const clickhouse = opened.use(await startClickHouse({ dataDir, env: {} }))
const archive: ClickHouseOptions = { url: clickhouse.url }

const CENTERS = 24

/** Centres of all kinds: some onboarded, some with failed attempts, some with nothing but their registration. */
async function onboardSome(broker: TestMesh, api: RunningApi): Promise<string[]> {
  const { mesh } = broker
  const ids: string[] = []
  for (let n = 0; n < CENTERS; n++) ids.push((await register(api.url, { ...recife, name: `Centre ${n}` })).body.id)
  for (const [n, centerId] of ids.entries()) {
    if (n % 2 === 0)
      await mesh.publish(attemptFailed, {
        id: `${centerId}.registered`,
        service: 'city-registration',
        handler: 'dmitri',
        type: 'center.registered',
        key: centerId,
        stream: 'CENTERS',
        epoch: 1,
        seq: n,
        at: '2026-11-20T12:00:00.000Z',
        attempt: 1 + (n % 3),
        code: 'ECONNREFUSED',
        message: 'refused',
        outcome: 'retry',
        nextAttemptAt: null,
      })
    if (n % 4 > 0) await mesh.publish(providerCreated, { centerId, system: 'senninha', providerId: `s-${n}` })
    if (n % 4 > 1) await mesh.publish(providerCreated, { centerId, system: 'maas', providerId: `m-${n}` })
    if (n % 4 > 2) await mesh.publish(cityRegistered, { centerId, registrationId: `r-${n}` })
  }
  await eventually(async () => {
    for (const [n, id] of ids.entries()) {
      const { status, partners } = (await find(api.url, id)).body
      expect(status).toBe(n % 4 === 3 ? 'onboarded' : n % 4 > 0 || n % 2 === 0 ? 'onboarding' : 'registered')
      expect(partners.dmitri.attempts).toBe((n % 2 === 0 ? 1 + (n % 3) : 0) + (n % 4 === 3 ? 1 : 0))
    }
  })
  return ids
}

const entriesOf = ({ statuses }: ReadModel, ids: readonly string[]): Promise<unknown[]> =>
  Promise.all(ids.map((id) => statuses.get(id)))

test('with the buckets deleted and the older half of each stream purged, every status is as before', async () => {
  await using broker = await testMesh()
  const { mesh, nats, namespace } = broker
  await using api = await runningApi(broker)
  const ids = await onboardSome(broker, api)
  const before = await entriesOf(api.readModel, ids)
  {
    await using _ = archiveStreams({ nats, namespace }, archive, { pollMs: 100 })
    const { clean } = await auditArchive({ nats, namespace, clickhouse: archive, waitMs: 40_000 })
    expect(clean).toBe(true)
  }
  const jsm = await jetstreamManager(nats)
  for (const name of ['CENTERS', 'PARTNERS', 'MESH']) {
    const { state } = await jsm.streams.info(mesh.names.stream(name))
    await jsm.streams.purge(mesh.names.stream(name), { seq: Math.ceil(state.last_seq / 2) })
  }

  await (await mesh.bucket('CENTER_STATUS')).destroy()
  await (await mesh.bucket('CENTER_REGISTRY')).destroy()
  await using fresh = await runningApi(broker, { handlers: false })
  const withStreamsAlone = await rebuildStatus({ mesh, ...fresh.readModel })
  expect(withStreamsAlone.missing.map(({ stream, from }) => [stream, from])).toStrictEqual(
    expect.arrayContaining([
      ['CENTERS', 1],
      ['PARTNERS', 1],
      ['MESH', 1],
    ]),
  )
  expect(await entriesOf(fresh.readModel, ids)).not.toStrictEqual(before)

  const rebuilt = await rebuildStatus({ mesh, archive, ...fresh.readModel })
  expect(rebuilt).toMatchObject({ centers: CENTERS, unreadable: 0, missing: [] })
  expect(await entriesOf(fresh.readModel, ids)).toStrictEqual(before)

  const replaced = await replaceStatus({ mesh, archive })
  expect(replaced).toMatchObject({ centers: CENTERS, missing: [] })
  await eventually(async () => expect(await entriesOf(fresh.readModel, ids)).toStrictEqual(before))
  expect((await find(fresh.url, ids[0]!)).body).toMatchObject({ id: ids[0] })
})

test('with ClickHouse away nothing is replaced, and it is said why', async () => {
  await using broker = await testMesh()
  await using api = await runningApi(broker)
  const { id } = (await register(api.url, recife)).body
  const away = { url: 'http://127.0.0.1:1' }
  await expect(replaceStatus({ mesh: broker.mesh, archive: away })).rejects.toThrow(/ARCHIVE_UNREACHABLE/)
  await eventually(async () => expect((await find(api.url, id)).body.status).toBe('registered'))
})
