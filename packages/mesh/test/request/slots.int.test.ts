import { defineService, reply } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { gate, slow, slowBehindGate } from './prices.ts'

test('beyond concurrency and what may wait a request is MESH_BUSY at once, and was not begun', async () => {
  await using env = await testMesh()
  const { passed, open } = gate()
  let calls = 0
  const answer = reply(slow, { concurrency: 2, waiting: 1 }, async ({ n }) => {
    calls++
    await passed
    return { n, by: 'x' }
  })
  await env.mesh.start(defineService('pricing', { handlers: {}, replies: { answer } }))
  const taken = [1, 2, 3].map((n) => env.mesh.request(slow, { n }, { timeoutMs: 30_000 }))
  const refused = env.mesh.request(slow, { n: 4 }, { timeoutMs: 30_000 })
  await expect(refused).rejects.toMatchObject({ code: 'MESH_BUSY', retryAfterMs: expect.any(Number) as number })
  const patient = env.mesh.request(slow, { n: 5 }, { timeoutMs: 30_000, waitForResponder: true })
  open()
  expect((await Promise.all([...taken, patient])).map(({ n }) => n)).toEqual([1, 2, 3, 5])
  expect(calls).toBe(4)
})

test('the responder’s signal aborts when nobody waits any more, and what waited past its time is not begun', async () => {
  await using env = await testMesh()
  const begun: number[] = []
  const aborted: number[] = []
  const answer = reply(slow, { concurrency: 1, waiting: 2 }, async ({ n }, ctx) => {
    begun.push(n)
    if (n === 1) await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve))
    if (ctx.signal.aborted) aborted.push(n)
    return { n, by: 'x' }
  })
  await env.mesh.start(defineService('pricing', { handlers: {}, replies: { answer } }))
  const first = env.mesh.request(slow, { n: 1 }, { timeoutMs: 1500 })
  const second = env.mesh.request(slow, { n: 2 }, { timeoutMs: 300 })
  await expect(second).rejects.toThrow('MESH_REQUEST_TIMEOUT: price.slow: no answer came within 300 ms')
  await expect(first).rejects.toThrow(/MESH_REQUEST_TIMEOUT|took too long/)
  expect((await env.mesh.request(slow, { n: 3 }, { timeoutMs: 30_000 })).n).toBe(3)
  expect({ begun, aborted }).toEqual({ begun: [1, 3], aborted: [1] })
})

test('what nobody waits for any more takes no place from others', async () => {
  await using env = await testMesh()
  const { service, open } = slowBehindGate({ concurrency: 1, waiting: 1 })
  await env.mesh.start(service)
  const first = env.mesh.request(slow, { n: 1 }, { timeoutMs: 30_000 })
  // The second waits for its turn, and so does the third when the second has given up; neither is turned away.
  for (const n of [2, 3])
    await eventually(() =>
      expect(env.mesh.request(slow, { n }, { timeoutMs: 100 })).rejects.toThrow('MESH_REQUEST_TIMEOUT'),
    )
  open()
  expect((await first).n).toBe(1)
})

test('a function that takes longer than the reply’s timeoutMs is told, and so is the requester', async () => {
  await using env = await testMesh()
  const answer = reply(slow, { timeoutMs: 100, concurrency: 1 }, (_, ctx) => {
    return new Promise((_resolve, reject) => ctx.signal.addEventListener('abort', () => reject(new Error('told'))))
  })
  await env.mesh.start(defineService('pricing', { handlers: {}, replies: { answer } }))
  await expect(env.mesh.request(slow, { n: 1 }, { timeoutMs: 30_000 })).rejects.toThrow(
    'MESH_REQUEST_FAILED: price.slow failed: answer of pricing took too long',
  )
})

test('calls that never come back keep their slots, and at half of them the service is not ready', async () => {
  await using env = await testMesh()
  const { service, open } = slowBehindGate({ timeoutMs: 50, concurrency: 1 })
  await env.mesh.start(service)
  await expect(env.mesh.request(slow, { n: 1 })).rejects.toThrow('MESH_REQUEST_FAILED')
  // The requester may be told a moment before the call's own time is over.
  await eventually(() =>
    expect(env.mesh.health()).toMatchObject({
      ready: false,
      reasons: ['reply answer: 1 of 1 calls are over their time and do not come back'],
    }),
  )
  open()
  await eventually(() => expect(env.mesh.health().ready).toBe(true))
})
