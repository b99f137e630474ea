import { testMesh, untilSettled } from '@malha/testing'
import { AckPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'

const SOON = { timeoutMs: 300 }

test('a durable is settled once everything that it takes is delivered and acked, and until then it is said what is left', async () => {
  await using t = await testMesh()
  const [jsm, js] = [await jetstreamManager(t.nats), jetstream(t.nats)]
  const [stream, mine] = [`${t.namespace}_ORDERS`, `${t.namespace}.order`]
  await jsm.streams.add({ name: stream, subjects: [`${mine}.>`] })
  const config = { durable_name: 'billing', filter_subject: `${mine}.placed`, ack_policy: AckPolicy.Explicit }
  await jsm.consumers.add(stream, config)
  const settled = async (): Promise<number> =>
    (await untilSettled(t.nats, stream, 'billing', SOON)).ack_floor.stream_seq

  await js.publish(`${mine}.billed`)
  expect(await settled()).toBe(0)
  await js.publish(`${mine}.placed`)
  await expect(settled()).rejects.toThrow(`billing of ${stream} has 1 pending and 0 unacked, and acked up to 0 of 2`)
  const taken = await (await js.consumers.get(stream, 'billing')).next()
  await expect(settled()).rejects.toThrow('0 pending and 1 unacked')
  const waiting = untilSettled(t.nats, stream, 'billing')
  expect(await taken?.ackAck()).toBe(true)
  expect((await waiting).ack_floor.stream_seq).toBe(2)
  await js.publish(`${mine}.billed`)
  expect(await settled()).toBe(2)
})

test('of a durable that is not there nobody waits for good', async () => {
  await using t = await testMesh()
  await expect(untilSettled(t.nats, `${t.namespace}_NONE`, 'billing', SOON)).rejects.toThrow(/stream not found/)
})
