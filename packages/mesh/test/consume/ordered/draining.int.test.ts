import { eventually, testMesh } from '@malha/testing'
import { errors, type NatsConnection } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { PartitionStore } from '../../../src/consume/ordered/partition-store.ts'
import { Settler } from '../../../src/consume/settler.ts'
import { watchConnection } from '../../../src/lifecycle/connection-watch.ts'
import { PublishPipeline } from '../../../src/publish/pipeline.ts'
import { groundFor, onePartition, over, store } from './one-partition.ts'

/** A connection that can be told to be in the last moments of its drain, when it publishes nothing any more. */
function closing(nc: NatsConnection): { nc: NatsConnection; drain: () => void } {
  let isDraining = false
  const publish: NatsConnection['publish'] = (...message) => {
    if (isDraining) throw new errors.DrainingConnectionError()
    nc.publish(...message)
  }
  return { nc: over(nc, { publish, isDraining: () => isDraining }), drain: () => void (isDraining = true) }
}

test('what ends while the connection drains harms nobody', async () => {
  await using t = await testMesh()
  await groundFor(t)
  await store(t, ['a', 'b'])
  const { nc, drain } = closing(t.nats)
  await using one = await onePartition(t, { nc, limit: 1 })
  await eventually(() => expect(one.ready.length).toBe(1))
  const [line] = one.ready
  void one.partition.work.begin(line!)
  const connection = watchConnection(nc)
  const pipeline = new PublishPipeline(nc, connection)
  const settler = new Settler(nc, connection)
  drain()
  one.partition.work.settle(line!)
  new PartitionStore({ nc, pipeline, bucket: `${t.namespace}_PARTS`, handler: 'billing_bill' }).nudge()
  settler.ack('$JS.ACK.nobody')
  await settler.flush()
  await pipeline.close()
})
