import { setTimeout as sleep } from 'node:timers/promises'
import { eventually, testServer } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { PartitionStore } from '../../../src/consume/ordered/partition-store.ts'
import { watchConnection } from '../../../src/lifecycle/connection-watch.ts'
import { PublishPipeline } from '../../../src/publish/pipeline.ts'

const ROUNDS = 20
/** The broker writes down on its own how far it is; rounds within one moment are one to it. */
const ROUND_MS = 100

test('instances whose lease was over do not come back with a broker that was killed', async () => {
  await using server = await testServer()
  const nc = await connect({ servers: server.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 })
  await using _nc = { [Symbol.asyncDispose]: () => nc.close() }
  const jsm = await jetstreamManager(nc)
  const config = { max_msgs_per_subject: 1, allow_msg_ttl: true, allow_direct: true }
  await jsm.streams.add({ name: 'KV_PARTS', subjects: ['$KV.PARTS.>'], ...config })
  const pipeline = new PublishPipeline(nc, watchConnection(nc))
  const store = new PartitionStore({ nc, pipeline, bucket: 'PARTS', handler: 'billing_bill' })
  const here = async (): Promise<readonly string[]> => (await store.members()).here

  /** Instances renew their leases while records are written. */
  async function rounds(instances: readonly string[]): Promise<void> {
    const revisions = new Map<string, number>()
    for (let round = 0; round < ROUNDS; round++) {
      for (let n = 0; n < 16; n++)
        await pipeline.publish({
          subject: `$KV.PARTS.at.${n}`,
          payload: Buffer.alloc(100),
          headers: [],
          timeoutMs: 20_000,
        })
      for (const instance of instances) {
        const lease = { revision: revisions.get(instance) ?? 0, leaseMs: 1000, timeoutMs: 20_000 }
        revisions.set(instance, (await store.announce(instance, lease)) ?? 0)
      }
      await sleep(ROUND_MS)
    }
  }

  await rounds(['a', 'b', 'c'])
  await eventually(async () => expect(await here()).toEqual([]))
  await store.announce('alive', { revision: 0, leaseMs: 600_000, timeoutMs: 20_000 })
  await server.stop()
  await server.start()
  await rounds([])
  await server.restart()
  await rounds([])
  // From what it wrote down when it was stopped, the broker does not know any more what it has let go.
  const { state } = await jsm.streams.info('KV_PARTS', { subjects_filter: '$KV.PARTS.billing_bill.here.*' })
  expect(Object.keys(state.subjects ?? {}).length).toBeGreaterThan(1)

  await eventually(async () => expect(await here()).toEqual(['alive']), { timeoutMs: 30_000 })
  // One of them may come back itself.
  await eventually(() => store.announce('a', { revision: 0, leaseMs: 600_000, timeoutMs: 20_000 }))
  expect(await here()).toEqual(['a', 'alive'])
})
