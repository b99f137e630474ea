import { testMesh, type TestMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { headers, nanos } from '@nats-io/transport-node'
import { afterEach, expect, test, vi } from 'vitest'
import { AlreadyStored } from '../../src/delay/already-stored.ts'
import type { ServerClock } from '../../src/lifecycle/server-clock.ts'

afterEach(() => vi.restoreAllMocks())

const clock = { now: () => Promise.resolve(Date.now()), errorMs: 1 } as unknown as ServerClock
const MINUTE = 60_000

/** A stream with one subject, and how many of its messages were asked for. */
async function broker(env: TestMesh, windowMs: number) {
  const stream = `${env.namespace}_ORDERS`
  const subject = `${env.namespace}.order.report-due`
  const jsm = await jetstreamManager(env.nats)
  await jsm.streams.add({ name: stream, subjects: [subject], duplicate_window: nanos(windowMs) })
  const request = env.nats.request.bind(env.nats)
  const asks = { gets: 0, afterGet: async (): Promise<void> => undefined }
  vi.spyOn(env.nats, 'request').mockImplementation(async (api, ...rest) => {
    const answer = await request(api, ...rest)
    if (!api.startsWith('$JS.API.STREAM.MSG.GET.')) return answer
    asks.gets++
    await asks.afterGet()
    return answer
  })
  return {
    asks,
    stored: new AlreadyStored(env.nats, clock),
    find: (stored: AlreadyStored, id: string, agoMs: number) =>
      stored.find({ stream, subject, id }, new Date(Date.now() - agoMs)),
    store: async (id: string): Promise<void> => {
      const hdrs = headers()
      hdrs.set('ce-id', id)
      hdrs.set('malha-due', '2030-01-01T00:00:00Z')
      await request(subject, '', { headers: hdrs, timeout: 5000 })
    },
    ids: async () => (await jsm.streams.info(stream)).state.messages,
  }
}

test('what became due well within the duplicate window is not looked for: the stream says so itself', async () => {
  await using env = await testMesh()
  const { find, stored, store, asks } = await broker(env, 5 * MINUTE)
  await store('a')
  expect(await find(stored, 'a', 4 * MINUTE)).toBeUndefined()
  expect(asks.gets).toBe(0)
})

test('near the end of the window, and past it, it is looked for, however often it was delivered', async () => {
  await using env = await testMesh()
  const { find, stored, store } = await broker(env, 5 * MINUTE)
  await store('a')
  await store('b')
  expect(await find(stored, 'b', 5 * MINUTE - 20_000)).toBe(2)
  expect(await find(stored, 'b', 60 * MINUTE)).toBe(2)
  expect(await find(stored, 'c', 60 * MINUTE)).toBeUndefined()
})

test('a thousand that are looked for on one subject read it once', async () => {
  await using env = await testMesh()
  const { find, stored, store, asks, ids } = await broker(env, MINUTE)
  const bring = async (id: string, agoMs: number): Promise<void> => {
    if ((await find(stored, id, agoMs)) === undefined) await store(id)
  }
  // The latest come first.
  for (let wave = 0; wave < 10; wave++) {
    const agoMs = (60 + wave) * MINUTE
    await Promise.all(Array.from({ length: 100 }, (_, index) => bring(`e${wave}-${index}`, agoMs + index)))
  }
  expect(await ids()).toBe(1000)
  expect(asks.gets).toBeLessThan(4000)
})

test('a subject that grows while it is read is read as far as it went when the reading began', async () => {
  await using env = await testMesh()
  const { find, stored, store, asks } = await broker(env, MINUTE)
  await store('first')
  asks.afterGet = async () => {
    if (asks.gets < 200) await store(`more${asks.gets}`)
  }
  expect(await find(stored, 'absent', 60 * MINUTE)).toBeUndefined()
  expect(asks.gets).toBeLessThan(20)
})

test('“it is not there” is not believed in a process that was stopped since it asked', async () => {
  await using env = await testMesh()
  const { find, stored, asks } = await broker(env, MINUTE)
  asks.afterGet = async () => {
    const wokeAt = performance.now() + 400_000
    vi.spyOn(performance, 'now').mockReturnValue(wokeAt)
  }
  await expect(find(stored, 'a', 60 * MINUTE)).rejects.toThrow(/too long ago/)
})

test('a reading that took longer than its answer is believed goes on at once with what came meanwhile', async () => {
  await using env = await testMesh()
  const { find, stored, store, asks } = await broker(env, MINUTE)
  await store('first')
  const now = performance.now.bind(performance)
  let laterMs = 0
  vi.spyOn(performance, 'now').mockImplementation(() => now() + laterMs)
  asks.afterGet = async () => {
    if (asks.gets !== 2) return
    laterMs = 20_000
    await store('meanwhile')
  }
  expect(await find(stored, 'meanwhile', 60 * MINUTE)).toBe(2)
  asks.gets = 0
  expect(await find(stored, 'absent', 60 * MINUTE)).toBeUndefined()
})

test('a subject that is looked at all the time is forgotten and read anew after a while: what came on it is not kept for ever', async () => {
  await using env = await testMesh()
  const { find, stored, store, asks } = await broker(env, 1000)
  for (let n = 0; n < 50; n++) await store(`e${n}`)
  const now = performance.now.bind(performance)
  let laterMs = 0
  vi.spyOn(performance, 'now').mockImplementation(() => now() + laterMs)
  const looks = 30
  for (let look = 0; look < looks; look++, laterMs += MINUTE / 2) expect(await find(stored, 'e0', 0)).toBe(1)
  expect(asks.gets - looks).toBe(2 * 50)
})
