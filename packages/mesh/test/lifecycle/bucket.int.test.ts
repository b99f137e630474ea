import { setTimeout as pause } from 'node:timers/promises'
import { faultProxy, testMesh, testServer } from '@malha/testing'
import { JetStreamApiError } from '@nats-io/jetstream'
import { TimeoutError } from '@nats-io/transport-node'
import { expect, test } from 'vitest'

/** Longer than the client waits for one answer, ms. */
const SILENT_MS = 7_000

test('a server that says nothing for a while is asked again for a bucket', async () => {
  await using server = await testServer()
  await using t = await testMesh({ server })
  await using proxy = await faultProxy({ target: server.url })
  const mesh = await t.connect({ servers: proxy.url })
  proxy.stall('toClient')
  const opening = mesh.bucket('CENTER_STATUS')
  opening.catch(() => undefined)
  await pause(SILENT_MS)
  proxy.resume()
  const bucket = await opening
  await bucket.put('a', 'b')
  expect((await bucket.get('a'))?.string()).toBe('b')
})

test('a write that expects another revision is refused as the client refuses it', async () => {
  await using t = await testMesh()
  const bucket = await t.mesh.bucket('CENTER_STATUS')
  const revision = await bucket.create('a', '1')
  const refusals = await Promise.allSettled([bucket.create('a', '2'), bucket.update('a', '2', revision + 1)])
  for (const refusal of refusals) {
    const error: unknown = refusal.status === 'rejected' ? refusal.reason : undefined
    expect(error).toBeInstanceOf(JetStreamApiError)
    expect(error).toMatchObject({ code: 10_071, status: 400 })
  }
  expect((await bucket.get('a'))?.string()).toBe('1')
  await bucket.delete('a')
  await bucket.create('a', '3')
  expect((await bucket.get('a'))?.string()).toBe('3')
})

test('a write whose answer was lost with the connection is never told as a conflict with somebody else', async () => {
  await using server = await testServer()
  await using t = await testMesh({ server })
  await using proxy = await faultProxy({ target: server.url })
  const mesh = await t.connect({ servers: proxy.url })
  const bucket = await mesh.bucket('CENTER_STATUS')
  const other = await t.mesh.bucket('CENTER_STATUS')
  proxy.stall('toClient')
  const writing = bucket.create('a', '1')
  writing.catch(() => undefined)
  await expect.poll(async () => (await other.get('a'))?.string()).toBe('1')
  proxy.cut()
  proxy.resume()
  await expect(writing).rejects.toThrow(TimeoutError)
})
