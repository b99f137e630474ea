import { Reject } from '@malha/mesh'
import { testMesh } from '@malha/testing'
import { expect, it } from 'vitest'
import { openOperations, type Tail, type TailEvent } from '../../src/index.ts'
import { billed, placed, shopWith } from '../why/shop.ts'

async function take(tail: Tail, count: number): Promise<TailEvent[]> {
  const events: TailEvent[] = []
  for await (const event of tail) if (events.push(event) >= count) break
  return events
}

it('events are shown as they are published, and only those that are asked for', async () => {
  await using test = await testMesh()
  const { mesh } = test
  await mesh.provision(shopWith(() => undefined))
  using operations = await openOperations(await test.connect({ topology: 'none' }))
  using all = await operations.tail()
  using ofKey = await operations.tail({ pattern: 'order.placed', key: 'o 2' })
  expect(all.subjects).toEqual(['mesh.>', 'order.>'])
  await mesh.publish(placed, { orderId: 'o-1' })
  const { id } = (await mesh.publish(placed, { orderId: 'o 2' })) as { id: string }
  expect((await take(all, 2)).map(({ key }) => key)).toEqual(['o-1', 'o 2'])
  expect(await take(ofKey, 1)).toMatchObject([
    { id, type: 'order.placed', key: 'o 2', correlationId: id, payload: '{"orderId":"o 2"}', failed: undefined },
  ])
  ofKey[Symbol.dispose]()
  expect(await take(ofKey, 1)).toEqual([])
})

it('failed attempts are shown alone, of the service that is asked for', async () => {
  await using test = await testMesh()
  const { mesh } = test
  using operations = await openOperations(await test.connect({ topology: 'none' }))
  const running = await mesh.start(shopWith(() => Promise.reject(new Reject('no such city'))))
  using errors = await operations.tail({ errors: true, service: 'shop', pattern: 'order.>', key: 'o-1' })
  using others = await operations.tail({ errors: true, service: 'other' })
  await mesh.publish(placed, { orderId: 'o-0' })
  await mesh.publish(placed, { orderId: 'o-1' })
  expect(await take(errors, 1)).toMatchObject([
    { type: 'mesh.attempt.failed', failed: { service: 'shop', handler: 'bill', key: 'o-1', code: 'MESH_REJECTED' } },
  ])
  others[Symbol.dispose]()
  expect(await take(others, 1)).toEqual([])
  await running.stop()
})

it('a large or binary payload is cut or left out, and what is not taken in time is counted', async () => {
  await using test = await testMesh()
  using operations = await openOperations(test.mesh)
  using tail = await operations.tail({ pattern: 'bill.made' })
  const subject = test.mesh.names.subject(billed.type)
  test.nats.publish(subject, `${'x'.repeat(999)}é${'y'.repeat(500_000)}`)
  test.nats.publish(subject, Buffer.from([255, 254]))
  for (let n = 0; n < 10_100; n++) test.nats.publish(subject, '')
  await test.nats.flush()
  // The answer comes behind all that was published.
  await test.mesh.nats.flush()
  expect(tail.dropped).toBe(102)
  const [long, binary] = await take(tail, 2)
  expect(long).toMatchObject({ payloadBytes: 501_001, payload: 'x'.repeat(999), id: undefined, type: undefined })
  expect(binary).toMatchObject({ payloadBytes: 2, payload: undefined })
  expect(await take(tail, 9_998)).toHaveLength(9_998)
})

it('a pattern that is none is refused', async () => {
  await using test = await testMesh()
  using operations = await openOperations(test.mesh)
  for (const pattern of ['', 'a b', 'a..b', '>.a', 'a.>.b'])
    await expect(operations.tail({ pattern })).rejects.toThrow(/OPERATIONS_INVALID_OPTIONS: pattern/)
})
