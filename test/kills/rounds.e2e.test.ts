import { createClient } from '@clickhouse/client'
import { type ArchiveAudit, auditArchive } from '@malha/archive'
import { expect, test } from 'vitest'
import { type PartnerName, partnerNames, type ServiceName } from '../reference/processes.ts'
import { registerCenters, untilOnboarded } from './centers.ts'
import { expectEachFactOnce, expectNoDeadLetters, expectOneEffectEach, received } from './evidence.ts'
import type { Kill, KillOrder, KillPoint } from './kill-switch.ts'
import type { Around } from './killable.ts'
import { type ReferenceMesh, referenceMesh } from './reference-mesh.ts'

/** In flight in the process that dies, at least. */
const LEAST = 10
const CENTERS = 40
/** Long enough for many calls to be open at once. */
const LATENCY_MS = 300

type Round = { process: string; point: string; inFlight: number; openCalls?: number }
type ServiceRound = { service: ServiceName; point: KillPoint; partner?: PartnerName }

const SERVICE_POINTS = ['before handler', 'after return', 'after publish', 'after ack sent'] as const
const services: ServiceRound[] = [
  ...SERVICE_POINTS.flatMap((point) =>
    (['provider', 'city-registration', 'distribution-center'] as const).map((service) => ({ service, point })),
  ),
  { service: 'provider', point: 'in the partner call', partner: 'senninha' },
  { service: 'city-registration', point: 'in the partner call', partner: 'dmitri' },
  { service: 'provider', point: 'in the partner call', partner: 'maas' },
]

test('SIGKILL of every process in turn, each with work in flight: nothing lost, nothing twice, the archive clean', async () => {
  await using mesh = await referenceMesh({ latencyMs: LATENCY_MS })
  const ids = new Set<string>()
  let batch = 0
  const register = async (): Promise<void> => {
    for (const id of await registerCenters(mesh, `batch${batch++}`, CENTERS)) ids.add(id)
  }
  const rounds: Round[] = []
  const backends: (() => Promise<Round>)[] = [
    () => killNats(mesh, 'after return', register),
    () => killArchive(mesh, 'insert sent', register),
    () => killClickHouse(mesh, register),
    () => killNats(mesh, 'after ack sent', register),
    () => killArchive(mesh, 'before insert', register),
    () => killClickHouse(mesh, register),
  ]
  for (const [index, round] of services.entries()) {
    rounds.push(await killService(mesh, round, register))
    const between = index % 2 === 1 ? backends.shift() : undefined
    if (between) rounds.push(await between())
  }
  console.table(rounds)

  await untilOnboarded(mesh, [...ids], 120_000)
  expect(rounds.length).toBeGreaterThanOrEqual(20)
  expect(rounds.filter(({ inFlight }) => inFlight < LEAST)).toEqual([])
  for (const point of [...SERVICE_POINTS, 'in the partner call'])
    expect([point, rounds.filter((round) => round.point === point).length >= 3]).toEqual([point, true])
  await expectEachFactOnce(mesh, [...ids])
  await expectOneEffectEach(mesh, [...ids])
  for (const partner of partnerNames) {
    const { attempts, created } = await received(mesh, partner)
    // Calls were cut off by kills and made again.
    expect(attempts).toBeGreaterThan(created)
  }
  await expectNoDeadLetters(mesh)
  const before = await audit(mesh, 30_000)
  expect(before.totals).toMatchObject({ missing: 0, duplicates: 0, conflicts: 0, lost: 0, ahead: 0, deadLetters: 0 })
  expect(before.clean).toBe(true)
  expect(before.totals.archived).toBeGreaterThanOrEqual(ids.size * 5)
  await expectPlantedFaultsFound(mesh)
})

async function killService(mesh: ReferenceMesh, round: ServiceRound, meanwhile: () => Promise<void>): Promise<Round> {
  const { service, point, partner } = round
  const order = { point, least: LEAST, ...(partner && { partner: mesh.partner(partner) }) }
  const { inFlight, calls } = await killBy(mesh, service, order, { meanwhile })
  const openCalls = Object.values(calls).reduce((sum, count) => sum + count, 0)
  return { process: service, point, inFlight, openCalls }
}

/** A service knows best what is in the server's hands: it kills the server at a point of its own deliveries. */
async function killNats(mesh: ReferenceMesh, point: KillPoint, meanwhile: () => Promise<void>): Promise<Round> {
  const order = { point, least: LEAST, victim: mesh.nats.server.pid }
  const { inFlight } = await killBy(mesh, 'provider', order, { meanwhile, after: () => mesh.nats.restart() })
  return { process: 'nats-server', point: `provider: ${point}`, inFlight }
}

async function killArchive(mesh: ReferenceMesh, point: KillPoint, meanwhile: () => Promise<void>): Promise<Round> {
  const { inFlight } = await killBy(mesh, 'archive', { point, least: LEAST }, { meanwhile })
  return { process: 'archive', point, inFlight }
}

/** The archive knows best when an insert is under way: it kills the ClickHouse that it is sent to. */
async function killClickHouse(mesh: ReferenceMesh, meanwhile: () => Promise<void>): Promise<Round> {
  const point = 'insert sent'
  const order = { point, least: LEAST, victim: mesh.clickhouse.server!.pid! } as const
  const { inFlight } = await killBy(mesh, 'archive', order, { meanwhile, after: () => mesh.clickhouse.restart() })
  return { process: 'clickhouse', point: `archive: ${point}`, inFlight }
}

async function killBy(mesh: ReferenceMesh, service: ServiceName, order: KillOrder, around: Around): Promise<Kill> {
  return mesh.killable.get(service)!.kill(mesh.services.get(service)!, order, around)
}

async function expectPlantedFaultsFound(mesh: ReferenceMesh): Promise<void> {
  await mesh.services.get('archive')!.stop()
  await using client = await clickhouse(mesh)
  const victim = "stream = 'CENTERS' AND seq = 7"
  const columns = 'stream, epoch, seq, subject, event_id, event_type, published_at, headers, payload'
  await client.run('SYSTEM STOP MERGES archive.events')
  await client.run(`INSERT INTO archive.events (${columns}) SELECT ${columns} FROM archive.events WHERE ${victim}`)
  const doubled = await audit(mesh)
  expect(doubled).toMatchObject({ clean: false, totals: { duplicates: 1, missing: 0 } })
  await client.run('SYSTEM START MERGES archive.events')
  await client.run(`DELETE FROM archive.events WHERE ${victim}`)
  const missed = await audit(mesh)
  expect(missed).toMatchObject({ clean: false, totals: { duplicates: 0, missing: 1 } })
  expect(missed.streams.find(({ stream }) => stream === 'CENTERS')?.missing.seqs).toEqual([7])
}

async function clickhouse(mesh: ReferenceMesh): Promise<AsyncDisposable & { run(query: string): Promise<void> }> {
  const client = createClient({ url: mesh.clickhouseUrl, keep_alive: { enabled: false } })
  return {
    run: async (query) => void (await client.command({ query })),
    [Symbol.asyncDispose]: () => client.close(),
  }
}

function audit(mesh: ReferenceMesh, waitMs = 0): Promise<ArchiveAudit> {
  return auditArchive({ nats: mesh.watch, clickhouse: { url: mesh.clickhouseUrl }, waitMs })
}
