import { defineService, event, MeshError, minutes, seconds, stream } from '@malha/mesh'
import { eventually, type FaultProxy, faultProxy, testMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { storedIds } from './fixture.ts'
import { Job } from './jobs.ts'

/** Its window is longer than any reconnect, as it must be wherever `once` is not used. */
const parcels = stream('PARCELS', { subjects: ['parcel.>'], duplicateWindowMs: minutes(2), maxBytes: 256 * 1024 ** 2 })
const sent = event('parcel.sent', { stream: parcels, schema: Job, key: (parcel) => parcel.jobId })

const CUTS = 100
const PER_CUT = 100

test(
  'PubAcks cut while the stream stores: what resolved is stored, and nothing is stored twice',
  { timeout: 300_000 },
  async () => {
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

    for (let cut = 0; cut < CUTS; cut += 1) {
      const before = await stored()
      // Only a connection that has shaken hands can be stalled in the middle of its work.
      await eventually(() => publisher.nats.flush())
      // Half the cuts fall between storing and the answer, half anywhere in the bytes of a message.
      const betweenBoth = cut % 2 === 0
      if (betweenBoth) proxy.stall('toClient')
      else proxy.dropAfter(1 + Math.floor(Math.random() * 15_000))
      const publishing = Promise.all(Array.from({ length: PER_CUT }, (_, index) => publish(cut * PER_CUT + index)))
      if (betweenBoth) await cutWhileStoring(proxy, async () => (await stored()) > before + (cut % PER_CUT))
      await publishing
    }

    const counts = (await storedIds(t, 'PARCELS')).get(sent.type) ?? new Map<string, number>()
    expect(rejected.filter((error) => !(error instanceof MeshError))).toEqual([])
    expect(resolved.length + rejected.length).toBe(CUTS * PER_CUT)
    expect(resolved.length).toBeGreaterThan(CUTS * PER_CUT * 0.8)
    expect(resolved.filter((id) => !counts.has(id))).toEqual([])
    expect([...counts].filter(([, count]) => count > 1)).toEqual([])
    expect(proxy.counts.cut).toBeGreaterThanOrEqual(CUTS - 1)
  },
)

async function cutWhileStoring(proxy: FaultProxy, isStoring: () => Promise<boolean>): Promise<void> {
  await eventually(isStoring, { intervalMs: 1 })
  proxy.cut()
  proxy.resume('toClient')
}
