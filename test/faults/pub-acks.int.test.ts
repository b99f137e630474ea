import { defineService, event, MeshError, minutes, seconds, stream } from '@malha/mesh'
import { faultProxy, testMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { publishThroughCuts } from './cuts.ts'
import { storedIds } from './fixture.ts'
import { Job } from './jobs.ts'

/** Its window is longer than any reconnect, as it must be wherever `once` is not used. */
const parcels = stream('PARCELS', { subjects: ['parcel.>'], duplicateWindowMs: minutes(2), maxBytes: 256 * 1024 ** 2 })
const sent = event('parcel.sent', { stream: parcels, schema: Job, key: (parcel) => parcel.jobId })

const CUTS = 100
const PER_CUT = 100
/** Side by side: after each cut a publisher waits until it is connected again. */
const PUBLISHERS = 4

// oxlint-disable-next-line vitest/expect-expect -- each publisher is held against its own stream
test(
  'PubAcks cut while the stream stores: what resolved is stored, and nothing is stored twice',
  { timeout: 300_000 },
  async () => {
    await Promise.all(Array.from({ length: PUBLISHERS }, () => publishAndExpect(CUTS / PUBLISHERS)))
  },
)

/** A publisher with a stream of its own. */
async function publishAndExpect(cuts: number): Promise<void> {
  await using t = await testMesh()
  await t.mesh.provision(defineService('shop', { handlers: {}, publishes: [sent] }))
  const jsm = await jetstreamManager(t.nats)
  const stored = async (): Promise<number> => (await jsm.streams.info(`${t.namespace}_PARCELS`)).state.messages
  await using proxy = await faultProxy({ target: t.url })
  const publisher = await t.connect({ servers: proxy.url })
  const resolved: string[] = []
  const rejected: unknown[] = []

  async function publish(n: number): Promise<void> {
    const id = `p${n}`
    try {
      // One in ten gives up early, so that its fate is unknown.
      const timeoutMs = n % 10 === 0 ? 60 : seconds(30)
      await publisher.publish(sent, { jobId: id, n }, { id, timeoutMs })
      resolved.push(id)
    } catch (error) {
      rejected.push(error)
    }
  }

  await publishThroughCuts({ publisher, proxy, cuts, perCut: PER_CUT, stored, publish })

  const counts = (await storedIds(t, 'PARCELS')).get(sent.type) ?? new Map<string, number>()
  expect(rejected.filter((error) => !(error instanceof MeshError))).toEqual([])
  expect(resolved.length + rejected.length).toBe(cuts * PER_CUT)
  expect(resolved.length).toBeGreaterThan(cuts * PER_CUT * 0.8)
  expect(resolved.filter((id) => !counts.has(id))).toEqual([])
  expect([...counts].filter(([, count]) => count > 1)).toEqual([])
  expect(proxy.counts.cut).toBeGreaterThanOrEqual(cuts - 1)
}
