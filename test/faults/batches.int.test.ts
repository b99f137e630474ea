import { defineService, event, MeshError, minutes, publication, seconds, stream } from '@malha/mesh'
import { type FaultProxy, faultProxy, testCluster, testMesh, type TestMesh } from '@malha/testing'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { publishThroughCuts } from './cuts.ts'
import { Job } from './jobs.ts'

const crates = stream('CRATES', { subjects: ['crate.>'], duplicateWindowMs: minutes(2), maxBytes: 256 * 1024 ** 2 })
/** All on one subject, so that a batch is not found by the last of it. */
const noted = event('crate.noted', { stream: crates, schema: Job })
const filled = event('crate.filled', { stream: crates, schema: Job, key: (crate) => crate.jobId })

const CUTS = 12
const PER_CUT = 15
const IN_BATCH = 3

type Tried = { id: string; resolved: number[] | undefined; isRepeat?: boolean | undefined; error?: unknown }

/** Batches of one publisher whose answers are cut off, half of them while the stream stores. */
async function publishBatches(t: TestMesh<unknown>, proxy: FaultProxy): Promise<Tried[]> {
  await t.mesh.provision(defineService('packer', { handlers: {}, publishes: [noted] }))
  const publisher = await t.connect({ servers: proxy.url })
  const jsm = await jetstreamManager(t.nats)
  const stored = async (): Promise<number> => (await jsm.streams.info(`${t.namespace}_CRATES`)).state.messages
  const tried: Tried[] = []

  async function publish(n: number): Promise<void> {
    const id = `b${n}`
    const batch = [
      publication(noted, { jobId: id, n }, { id: `${id}-0` }),
      publication(n % 4 === 0 ? noted : filled, { jobId: id, n }, { id: `${id}-1` }),
      publication(noted, { jobId: id, n }, { id: `${id}-2` }),
    ]
    try {
      // One in ten gives up early, so that its fate is unknown.
      const told = await publisher.publishAll(batch, { timeoutMs: n % 10 === 0 ? 60 : seconds(30) })
      tried.push({ id, resolved: told.map(({ seq }) => seq), isRepeat: told[0]?.duplicate })
    } catch (error) {
      tried.push({ id, resolved: undefined, error })
    }
  }

  await publishThroughCuts({ publisher, proxy, cuts: CUTS, perCut: PER_CUT, stored, publish })
  return tried
}

/** Sequences by id. */
async function storedBatches(t: TestMesh<unknown>): Promise<Map<string, number[]>> {
  const name = `${t.namespace}_CRATES`
  const { state } = await (await jetstreamManager(t.nats)).streams.info(name)
  const consumer = await jetstream(t.nats).consumers.get(name)
  const batches = new Map<string, number[]>()
  for (let last = 0; last < state.last_seq;)
    for await (const { seq, headers } of await consumer.fetch({ max_messages: 1_000, expires: 2_000 })) {
      last = seq
      const id = (headers?.get('ce-id') ?? '').replace(/-\d$/, '')
      batches.set(id, [...(batches.get(id) ?? []), seq])
    }
  return batches
}

function expectWhole(tried: readonly Tried[], batches: ReadonlyMap<string, number[]>): void {
  expect(tried.length).toBe(CUTS * PER_CUT)
  expect(tried.filter(({ error }) => error !== undefined && !(error instanceof MeshError))).toEqual([])
  const resolved = tried.filter((one) => one.resolved !== undefined)
  expect(resolved.length).toBeGreaterThan(CUTS * PER_CUT * 0.8)
  // Some of them were stored by a send whose answer was cut off.
  expect(resolved.some(({ isRepeat }) => isRepeat)).toBe(true)
  for (const { id, resolved: told } of resolved) expect([id, batches.get(id)]).toEqual([id, told])
  for (const [id, [first = 0, ...rest]] of batches)
    expect([id, rest]).toEqual([id, Array.from({ length: IN_BATCH - 1 }, (_, n) => first + 1 + n)])
}

test('answers to batches cut off: each is stored whole and once, and told where it stands, or not at all', async () => {
  await using t = await testMesh()
  await using proxy = await faultProxy({ target: t.url })
  const tried = await publishBatches(t, proxy)
  expectWhole(tried, await storedBatches(t))
  expect(proxy.counts.cut).toBeGreaterThanOrEqual(CUTS - 1)
})

test('the same on three servers', { timeout: 120_000 }, async () => {
  await using cluster = await testCluster()
  await using t = await testMesh({ server: cluster })
  await using proxy = await faultProxy({ target: t.url.split(',')[0] ?? '' })
  const tried = await publishBatches(t, proxy)
  expectWhole(tried, await storedBatches(t))
})

test('many batches at once are all answered, and one that gets no turn in its time is told that it was not sent', async () => {
  await using t = await testMesh()
  await t.mesh.provision(defineService('packer', { handlers: {}, publishes: [noted] }))
  const batch = (n: number) => [publication(noted, { jobId: `m${n}`, n }), publication(filled, { jobId: `m${n}`, n })]
  const many = Promise.all(Array.from({ length: 150 }, (_, n) => t.mesh.publishAll(batch(n))))
  const late = t.mesh.publishAll(batch(150), { timeoutMs: 1 })
  await expect(late).rejects.toThrow(/MESH_PUBLISH_TIMEOUT.*it was not sent/)
  expect(new Set((await many).flatMap((told) => told.map(({ seq }) => seq))).size).toBe(300)
})
