import type { NatsConnection } from '@nats-io/transport-node'
import { afterEach, expect, test, vi } from 'vitest'
import { AlreadyStored } from '../../src/delay/already-stored.ts'
import type { ServerClock } from '../../src/delay/server-clock.ts'

afterEach(() => vi.restoreAllMocks())

const clock = { now: () => Promise.resolve(Date.now()), errorMs: 1 } as unknown as ServerClock
const subject = 'order.report-due'
const MINUTE = 60_000

type Query = { start_time?: string; seq?: number }
type Server = { nc: NatsConnection; ids: string[]; gets: number; onGet: () => void }

/** A server with one stream, whose events all stand on one subject and were stored a minute ago. */
function server(windowMs: number | 'denied'): Server {
  const told: Server = { nc: undefined as never, ids: [], gets: 0, onGet: () => undefined }
  const get = ({ start_time, seq = 1 }: Query): object => {
    told.gets++
    told.onGet()
    const isLater = start_time !== undefined && Date.parse(start_time) > Date.now() - MINUTE
    const id = isLater ? undefined : told.ids[seq - 1]
    if (id === undefined) return { error: { code: 404 } }
    const hdrs = Buffer.from(`NATS/1.0\r\nce-id: ${id}\r\nmalha-due: 2030-01-01T00:00:00Z\r\n\r\n`).toString('base64')
    return { message: { subject, seq, time: new Date().toISOString(), hdrs } }
  }
  const request = async (api: string, body: string): Promise<object> => {
    const info = { config: { duplicate_window: Number(windowMs) * 1e6 } }
    const answer = api.startsWith('$JS.API.STREAM.INFO.') ? info : get(JSON.parse(body) as Query)
    return await Promise.resolve({ json: () => answer })
  }
  told.nc = { request } as unknown as NatsConnection
  return told
}

const find = (stored: AlreadyStored, id: string, agoMs: number): Promise<number | undefined> =>
  stored.find({ stream: 'ORDERS', subject, id }, new Date(Date.now() - agoMs))

test('what became due well within the duplicate window is not looked for: the stream says so itself', async () => {
  const broker = server(5 * MINUTE)
  broker.ids.push('a')
  expect(await find(new AlreadyStored(broker.nc, clock), 'a', 4 * MINUTE)).toBeUndefined()
  expect(broker.gets).toBe(0)
})

test('near the end of the window, and past it, it is looked for, however often it was delivered', async () => {
  const broker = server(5 * MINUTE)
  broker.ids.push('a', 'b')
  const stored = new AlreadyStored(broker.nc, clock)
  expect(await find(stored, 'b', 5 * MINUTE - 20_000)).toBe(2)
  expect(await find(stored, 'b', 60 * MINUTE)).toBe(2)
  expect(await find(stored, 'c', 60 * MINUTE)).toBeUndefined()
})

test('a thousand that are looked for on one subject read it once', async () => {
  const broker = server(MINUTE)
  const stored = new AlreadyStored(broker.nc, clock)
  const bring = async (id: string, agoMs: number): Promise<void> => {
    if ((await find(stored, id, agoMs)) === undefined) broker.ids.push(id)
  }
  // The latest come first.
  for (let wave = 0; wave < 10; wave++) {
    const agoMs = (60 + wave) * MINUTE
    await Promise.all(Array.from({ length: 100 }, (_, index) => bring(`e${wave}-${index}`, agoMs + index)))
  }
  expect(new Set(broker.ids).size).toBe(1000)
  expect(broker.ids).toHaveLength(1000)
  expect(broker.gets).toBeLessThan(4000)
})

test('“it is not there” is not believed in a process that was stopped since it asked', async () => {
  const broker = server(MINUTE)
  const stored = new AlreadyStored(broker.nc, clock)
  broker.onGet = () => {
    const wokeAt = performance.now() + 400_000
    vi.spyOn(performance, 'now').mockReturnValue(wokeAt)
  }
  await expect(find(stored, 'a', 60 * MINUTE)).rejects.toThrow(/too long ago/)
})
