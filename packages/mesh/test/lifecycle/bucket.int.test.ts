import { setTimeout as pause } from 'node:timers/promises'
import { faultProxy, testMesh, testServer } from '@malha/testing'
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
