import { type CenterRegistered, centerRegistered, partners, providerCreated } from '@malha/contracts'
import { LETTER_HEADER, type Mesh } from '@malha/mesh'
import { type PartnerClient, partnerClient } from '@malha/partner-client'
import { type Fault, type Partner, startPartner, up } from '@malha/partner-simulator'
import { eventually, type TestMesh, testMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { provider } from '../src/service.ts'

const fault = (mode: Fault['mode'], more: Partial<Fault> = {}): Fault => ({ ...up, mode, ...more })
const patient = { timeoutMs: 45_000, intervalMs: 100 }
/** Longer than what a test waits for together, so that it is told what it waited for. */
const timeout = 180_000

test('partners that fail in every way get each centre once, under one key, and say so once', { timeout }, async () => {
  await using bench = await workbench({
    senninha: fault('lost-reply', { rate: 0.5 }),
    maas: fault('flaky', { rate: 0.5 }),
  })
  const ids = await register(bench.mesh, 30)
  const troubled = [bench.senninha, bench.maas]
  await eventually(() => troubled.every((partner) => partner.received().attempts > 35), patient)
  // A run of bad luck would wait for a minute. Of 30 centres at one in two, fewer than six failures are one run in 10^5.
  for (const partner of troubled) await partner.setFault(up)
  await eventually(async () => expect(await createdEvents(bench)).toHaveLength(60), patient)
  for (const partner of troubled) {
    const { created, attempts, byCenter } = partner.received()
    expect(created).toBe(30)
    expect(attempts).toBeGreaterThan(35)
    expect(Object.keys(byCenter).sort()).toEqual(ids)
    for (const { effects, keys } of Object.values(byCenter)) expect([effects, keys.length]).toEqual([1, 1])
  }
  expect(new Set((await createdEvents(bench)).map(({ count }) => count))).toEqual(new Set([1]))
})

test('a partner that is away holds up nothing of the other, and gets all when it is back', { timeout }, async () => {
  await using bench = await workbench({ senninha: fault('down'), maas: up })
  await register(bench.mesh, 30)
  await eventually(() => expect(bench.maas.received()).toMatchObject({ created: 30, attempts: 30 }), patient)
  expect(bench.senninha.received().attempts).toBe(0)
  await bench.senninha.setFault(up)
  await eventually(async () => expect(await createdEvents(bench)).toHaveLength(60), patient)
  expect(bench.senninha.received()).toMatchObject({ created: 30, attempts: 30 })
})

test('a partner slower than the call is asked again under the same key', { timeout }, async () => {
  await using bench = await workbench({ senninha: fault('slow', { latencyMs: 1500 }), maas: up }, { timeoutMs: 400 })
  const [id = ''] = await register(bench.mesh, 1)
  await eventually(() => bench.senninha.received().byCenter[id]?.effects === 1, patient)
  await bench.senninha.setFault(up)
  await eventually(async () => expect(await createdEvents(bench)).toHaveLength(2), patient)
  expect(bench.senninha.received().byCenter[id]).toMatchObject({ effects: 1, keys: [expect.any(String)] })
})

test(
  'what a partner refuses for good is a dead letter that carries its reason, and the other partner goes on',
  { timeout },
  async () => {
    await using bench = await workbench({ senninha: up, maas: up })
    const center = centerOf('c-refused')
    const taken = await fetch(`${bench.senninha.url}/providers`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': 'taken' },
      body: JSON.stringify({ centerId: 'other', name: 'CD', city: { name: 'A', state: 'B', country: 'C' } }),
    })
    expect(taken.status).toBe(201)
    await bench.mesh.publish(centerRegistered, center, { id: 'taken', once: true })
    const letter = await eventually(() => deadLetter(bench), patient)
    expect(letter).toContain('answered 422')
    expect(letter).toContain('came with another body before')
    await eventually(async () => expect(await createdEvents(bench)).toHaveLength(1), patient)
  },
)

type Bench = TestMesh & { senninha: Partner; maas: Partner }

/** The service on a mesh of its own, between two partners. */
async function workbench(faults: { senninha: Fault; maas: Fault }, { timeoutMs = 5000 } = {}): Promise<Bench> {
  await using opened = new AsyncDisposableStack()
  const clientTo = (partner: string, { url }: Partner): PartnerClient =>
    opened.use(partnerClient({ partner, url, timeoutMs }))
  const senninha = opened.use(await startPartner({ partner: 'senninha', fault: faults.senninha }))
  const maas = opened.use(await startPartner({ partner: 'maas', fault: faults.maas }))
  const clients = { senninha: clientTo('senninha', senninha), maas: clientTo('maas', maas) }
  const bench = opened.use(await testMesh())
  await bench.mesh.start(provider(clients, '1.0.0'))
  const all = opened.move()
  return { ...bench, senninha, maas, [Symbol.asyncDispose]: () => all.disposeAsync() }
}

function centerOf(centerId: string): CenterRegistered {
  return { centerId, name: `CD ${centerId} 🏭`, city: { name: 'São Luís', state: 'Maranhão', country: 'Brazil' } }
}

async function register(mesh: Mesh, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, at) => `c${String(at).padStart(3, '0')}`)
  await Promise.all(ids.map((id) => mesh.publish(centerRegistered, centerOf(id), { once: true })))
  return ids
}

/** How many `provider.created` there are by centre and system. */
async function createdEvents({ mesh }: Bench): Promise<{ subject: string; count: number }[]> {
  const jsm = await jetstreamManager(mesh.nats)
  const filter = mesh.names.subject(`${providerCreated.type}.>`)
  const { state } = await jsm.streams.info(mesh.names.stream(partners), { subjects_filter: filter })
  return Object.entries(state.subjects ?? {}).map(([subject, count]) => ({ subject, count }))
}

async function deadLetter({ mesh }: Bench): Promise<string> {
  const jsm = await jetstreamManager(mesh.nats)
  const letter = await jsm.streams.getMessage(mesh.names.stream('DEAD_LETTERS'), { seq: 1 })
  if (!letter) throw new Error('no dead letter yet')
  return decodeURIComponent(letter.header.get(LETTER_HEADER.reason))
}
