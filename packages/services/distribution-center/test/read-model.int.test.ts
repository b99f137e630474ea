import { centerOnboarded, cityRegistered, providerCreated, type PartnerSystem } from '@malha/contracts'
import { attemptFailed, type AttemptFailed, type Mesh } from '@malha/mesh'
import { eventually, testMesh, untilSettled } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import type { KV } from '@nats-io/kv'
import { expect, test } from 'vitest'
import type { CenterView } from '../src/http/schemas.ts'
import { rebuildStatus, replaceStatus } from '../src/mesh/rebuild-status.ts'
import { openReadModel } from '../src/read-model.ts'
import type { StatusChange } from '../src/status/apply.ts'
import type { ReadModel } from '../src/status/read-model.ts'
import { isComplete } from '../src/status/status.ts'
import { find, recife, register } from './http-client.ts'
import { runningApi, type RunningApi } from './running-api.ts'

/** What a partner service says when its partner has answered. */
async function done(mesh: Mesh, centerId: string, partner: PartnerSystem): Promise<void> {
  if (partner === 'dmitri') await mesh.publish(cityRegistered, { centerId, registrationId: 'r-1' }, { once: true })
  else await mesh.publish(providerCreated, { centerId, system: partner, providerId: `${partner}-1` }, { once: true })
}

/** What the mesh says when a partner service's handler has failed. */
async function failed(mesh: Mesh, centerId: string, record: Partial<AttemptFailed>): Promise<void> {
  const base = { service: 'city-registration', handler: 'dmitri', type: 'center.registered', key: centerId }
  const where = { stream: 'CENTERS', epoch: 1, seq: 1, at: '2026-11-20T12:00:00.000Z' }
  const failure = {
    attempt: 1,
    code: 'ECONNREFUSED',
    message: 'refused',
    outcome: 'retry',
    nextAttemptAt: null,
  } as const
  await mesh.publish(attemptFailed, { id: `${centerId}.registered`, ...base, ...where, ...failure, ...record })
}

async function reaches({ url }: RunningApi, id: string, expected: object): Promise<CenterView> {
  return await eventually(async () => {
    const { body } = await find(url, id)
    expect(body).toMatchObject(expected)
    return body
  })
}

async function storedOf(mesh: Mesh, stream: string, type: string): Promise<number> {
  const jsm = await jetstreamManager(mesh.nats)
  const filter = mesh.names.subject(`${type}.>`)
  const { state } = await jsm.streams.info(mesh.names.stream(stream), { subjects_filter: filter })
  return Object.values(state.subjects ?? {}).reduce((sum, count) => sum + count, 0)
}

/** Waits until every handler has nothing more to do, last the one of what others publish. */
async function settled({ nats, names }: Mesh): Promise<void> {
  const pairs = [
    ['MESH', 'attempts'],
    ['PARTNERS', 'provider'],
    ['PARTNERS', 'city'],
    ['CENTERS', 'registered'],
    ['CENTERS', 'onboarded'],
  ] as const
  for (const [stream, handler] of pairs)
    await untilSettled(nats, names.stream(stream), names.durable('distribution-center', handler, 'keyed'))
}

test('a centre goes from registered over onboarding to onboarded, and center.onboarded is published once', async () => {
  await using broker = await testMesh()
  await using api = await runningApi(broker)
  await using _other = await runningApi(broker)
  const { id } = (await register(api.url, recife)).body
  await reaches(api, id, { status: 'registered' })
  await failed(broker.mesh, id, { attempt: 1, nextAttemptAt: '2026-11-20T12:00:02.000Z' })
  await failed(broker.mesh, id, { attempt: 2, nextAttemptAt: '2026-11-20T12:00:06.000Z' })
  await reaches(api, id, {
    status: 'onboarding',
    partners: { dmitri: { state: 'waiting', attempts: 2, nextAttemptAt: '2026-11-20T12:00:06.000Z' } },
  })
  await Promise.all((['senninha', 'maas', 'dmitri'] as const).map((partner) => done(broker.mesh, id, partner)))
  const center = await reaches(api, id, { status: 'onboarded', onboardedAt: expect.any(String) })
  expect(center.partners).toMatchObject({
    senninha: { state: 'done', attempts: 1, providerId: 'senninha-1' },
    maas: { state: 'done', attempts: 1, providerId: 'maas-1' },
    dmitri: { state: 'done', attempts: 3, registrationId: 'r-1', lastFailure: { code: 'ECONNREFUSED' } },
  })
  await settled(broker.mesh)
  expect(await storedOf(broker.mesh, 'CENTERS', 'center.onboarded')).toBe(1)
})

test('partners that were faster than the read model lose nothing', async () => {
  await using broker = await testMesh()
  await using api = await runningApi(broker, { handlers: false })
  const { id } = (await register(api.url, recife)).body
  for (const partner of ['dmitri', 'maas', 'senninha'] as const) await done(broker.mesh, id, partner)
  await using late = await runningApi(broker)
  expect(await reaches(late, id, { status: 'onboarded' })).toStrictEqual((await find(api.url, id)).body)
})

test('a dead letter makes the centre failed, and its partner the one who is', async () => {
  await using broker = await testMesh()
  await using api = await runningApi(broker)
  const { id } = (await register(api.url, recife)).body
  await failed(broker.mesh, id, { handler: 'maas', attempt: 1, code: 'HTTP_422', outcome: 'dead-letter' })
  const center = await reaches(api, id, { status: 'failed' })
  expect(center.partners.maas).toMatchObject({ state: 'failed', attempts: 1, lastFailure: { code: 'HTTP_422' } })
})

test('many changes of one centre at once, over two instances, are all in its entry', async () => {
  await using broker = await testMesh()
  await using api = await runningApi(broker)
  await using _other = await runningApi(broker)
  const { id } = (await register(api.url, recife)).body
  const attempts = Array.from({ length: 40 }, (_, index) => failed(broker.mesh, id, { attempt: index + 1 }))
  await Promise.all([...attempts, done(broker.mesh, id, 'senninha'), done(broker.mesh, id, 'maas')])
  await settled(broker.mesh)
  const entry = await api.readModel.statuses.get(id)
  expect(entry?.applied['MESH']?.seq).toBeGreaterThanOrEqual(40)
  expect(Object.keys(entry?.partners ?? {}).sort()).toStrictEqual(['dmitri', 'maas', 'senninha'])
})

test('changes of one centre that come at once are written together, and only one of them finds it complete', async () => {
  await using broker = await testMesh()
  const { statuses } = await openReadModel(broker.mesh)
  const changes = (['senninha', 'maas', 'dmitri'] as const).map((partner, index): StatusChange => {
    const position = { epoch: 1, seq: index + 1 }
    const done = { ...position, at: '', ref: partner }
    return { kind: 'partner-done', centerId: 'ctr_1', stream: 'PARTNERS', position, partner, done }
  })
  const found = await Promise.all(changes.map((change) => statuses.apply(change)))
  expect(found.map(isComplete)).toStrictEqual([false, false, true])
  expect(await statuses.get('ctr_1')).toStrictEqual(found[2])
  // The first went alone, and the others when it was there.
  const jsm = await jetstreamManager(broker.nats)
  const { state } = await jsm.streams.info(`KV_${broker.mesh.names.bucket('CENTER_STATUS')}`)
  expect(state.last_seq).toBe(2)
})

test('a redelivery after center.onboarded was announced by another event is no dead letter', async () => {
  await using broker = await testMesh()
  await using api = await runningApi(broker)
  const { id } = (await register(api.url, recife)).body
  await broker.mesh.publish(centerOnboarded, { centerId: id }, { id: 'announced-before', once: true })
  for (const partner of ['senninha', 'maas', 'dmitri'] as const) await done(broker.mesh, id, partner)
  await reaches(api, id, { status: 'onboarded', partners: { dmitri: { state: 'done' } } })
  await settled(broker.mesh)
  const letters = await (await jetstreamManager(broker.nats)).streams.info(broker.mesh.names.stream('DEAD_LETTERS'))
  expect(letters.state.messages).toBe(0)
})

test('a rebuild makes the same entries as the service did, from nothing and over what is there', async () => {
  await using broker = await testMesh()
  await using api = await runningApi(broker)
  const ids = await registerMany(api, 12)
  for (const [index, id] of ids.entries()) {
    if (index % 2 === 0) await failed(broker.mesh, id, { attempt: 1 })
    for (const partner of (['senninha', 'maas', 'dmitri'] as const).slice(0, index % 4))
      await done(broker.mesh, id, partner)
  }
  await settled(broker.mesh)
  const before = await entriesOf(api.readModel, ids)

  const again = await rebuildStatus({ mesh: broker.mesh, ...api.readModel })
  expect(again).toMatchObject({ unreadable: 0, centers: 12, written: 0 })

  const order = await api.readModel.registry.after(0, 100)
  await (await broker.mesh.bucket('CENTER_STATUS')).destroy()
  await (await broker.mesh.bucket('CENTER_REGISTRY')).destroy()
  await using fresh = await runningApi(broker, { handlers: false })
  const rebuilt = await rebuildStatus({ mesh: broker.mesh, ...fresh.readModel })
  expect(rebuilt).toMatchObject({ unreadable: 0, centers: 12, written: 12 })
  expect(await entriesOf(fresh.readModel, ids)).toStrictEqual(before)
  const ordered = (stretch: typeof order): string[] => stretch.entries.map(({ centerId }) => centerId).sort()
  expect(ordered(await fresh.readModel.registry.after(0, 100))).toStrictEqual(ordered(order))
})

test('a rebuild keeps what only an entry knows; one that replaces makes another model beside it, which readers go to', async () => {
  await using broker = await testMesh()
  await using api = await runningApi(broker)
  const [id] = (await registerMany(api, 1)) as [string]
  await settled(broker.mesh)
  const right = (await api.readModel.statuses.get(id))!
  const failure = {
    epoch: 1,
    seq: 1,
    at: '',
    attempt: 7,
    code: 'X',
    message: '',
    nextAttemptAt: null,
    outcome: 'retry',
  } as const
  const wrong = { ...right, partners: { dmitri: { failure } } }
  await api.readModel.statuses.update(id, () => wrong)
  await rebuildStatus({ mesh: broker.mesh, ...api.readModel })
  expect(await api.readModel.statuses.get(id)).toStrictEqual(wrong)
  await replaceStatus({ mesh: broker.mesh })
  await eventually(async () => expect(await api.readModel.statuses.get(id)).toStrictEqual(right))
  const old = await broker.mesh.bucket('CENTER_STATUS')
  expect((await old.get(id))?.json()).toStrictEqual(wrong)
  expect(await api.readModel.registry.placeOf(id)).toBe(1)
})

test('of several who replace it at once one does, and the others say so', async () => {
  await using broker = await testMesh()
  await using api = await runningApi(broker)
  const ids = await registerMany(api, 5)
  await settled(broker.mesh)
  const before = await entriesOf(api.readModel, ids)
  const ended = await Promise.allSettled([1, 2, 3].map(() => replaceStatus({ mesh: broker.mesh })))
  const refusals = ended.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : []))
  const refused = expect.stringContaining('somebody else has replaced the read model')
  expect(refusals).toStrictEqual([refused, refused])
  await eventually(async () => expect(await entriesOf(api.readModel, ids)).toStrictEqual(before))
})

test('a rebuild while events arrive loses none of them', async () => {
  await using broker = await testMesh()
  await using api = await runningApi(broker)
  const ids = await registerMany(api, 20)
  const working = Promise.all(
    ids.flatMap((id) => (['senninha', 'maas', 'dmitri'] as const).map((partner) => done(broker.mesh, id, partner))),
  )
  for (let round = 0; round < 5; round++) await replaceStatus({ mesh: broker.mesh })
  await working
  for (const id of ids) await reaches(api, id, { status: 'onboarded' })
  expect(await storedOf(broker.mesh, 'CENTERS', 'center.onboarded')).toBe(20)
})

test('a rebuild where no stream is yet has nothing to do', async () => {
  await using broker = await testMesh()
  const report = await rebuildStatus({ mesh: broker.mesh, ...(await openReadModel(broker.mesh)) })
  expect(report).toStrictEqual({ events: 0, unreadable: 0, missing: [], centers: 0, written: 0 })
})

/** An instance that hears of no replacement until it is refused. */
const unaware = { lookEveryMs: 60_000 }

test('a write that comes too late for a model that was replaced goes into the one that is live', async () => {
  await using broker = await testMesh()
  await using api = await runningApi(broker, unaware)
  const [id] = (await registerMany(api, 1)) as [string]
  await settled(broker.mesh)
  await replaceStatus({ mesh: broker.mesh })
  await done(broker.mesh, id, 'maas')
  await reaches(api, id, { partners: { maas: { state: 'done' } } })
  expect((await (await broker.mesh.bucket('CENTER_STATUS')).get(id))?.string()).not.toContain('maas-1')
})

test('what is still written into the old model when the new one is live already is in the new one too', async () => {
  await using broker = await testMesh()
  await using api = await runningApi(broker, unaware)
  const [id] = (await registerMany(api, 1)) as [string]
  await settled(broker.mesh)
  const old = await broker.mesh.bucket('CENTER_STATUS')
  await replaceStatus({
    mesh: onceSwapped(broker.mesh, async () => {
      await done(broker.mesh, id, 'maas')
      await eventually(async () => expect((await old.get(id))?.string()).toContain('maas-1'))
    }),
  })
  const { statuses } = await openReadModel(broker.mesh)
  expect((await statuses.get(id))?.partners.maas?.done?.ref).toBe('maas-1')
})

/** A mesh that does something more when the read model has just been replaced. */
function onceSwapped(mesh: Mesh, then: () => Promise<void>): Mesh {
  const bucket: Mesh['bucket'] = async (name, options) => {
    const kv = await mesh.bucket(name, options)
    if (name !== 'CENTER_READ_MODEL') return kv
    const create: KV['create'] = async (key, value) => {
      const revision = await kv.create(key, value)
      await then()
      return revision
    }
    return Object.create(kv, { create: { value: create } }) as KV
  }
  return Object.create(mesh, { bucket: { value: bucket } }) as Mesh
}

test('it is not replaced by one that lacks what the streams have forgotten, unless that is wanted', async () => {
  await using broker = await testMesh()
  await using api = await runningApi(broker)
  const ids = await registerMany(api, 4)
  await settled(broker.mesh)
  const jsm = await jetstreamManager(broker.nats)
  await jsm.streams.purge(broker.mesh.names.stream('CENTERS'), { seq: 3 })
  await expect(replaceStatus({ mesh: broker.mesh })).rejects.toThrow(/not any more: CENTERS 1 to 2 .*--archive/)
  expect(await api.readModel.statuses.get(ids[0]!)).toBeDefined()
  const { missing, centers } = await replaceStatus({ mesh: broker.mesh, acceptMissing: true })
  expect(missing).toMatchObject([{ stream: 'CENTERS', from: 1, to: 2 }])
  expect(centers).toBe(2)
})

test('an event that fits no contract is counted by the rebuild and stops nothing', async () => {
  await using broker = await testMesh()
  await using api = await runningApi(broker)
  const [id] = (await registerMany(api, 1)) as [string]
  await broker.nats.request(broker.mesh.names.subject('center.registered.0.bad'), new Uint8Array([0xff]), {
    timeout: 10_000,
  })
  await using fresh = await runningApi(broker, { handlers: false })
  const report = await rebuildStatus({ mesh: broker.mesh, ...fresh.readModel })
  expect(report).toMatchObject({ unreadable: 1, centers: 1 })
  await reaches(api, id, { status: 'registered' })
})

async function registerMany(api: RunningApi, count: number): Promise<string[]> {
  const answers = Array.from({ length: count }, (_, index) => register(api.url, { ...recife, name: `Centre ${index}` }))
  return (await Promise.all(answers)).map(({ body }) => body.id)
}

function entriesOf({ statuses }: ReadModel, ids: readonly string[]): Promise<unknown[]> {
  return Promise.all(ids.map((id) => statuses.get(id)))
}
