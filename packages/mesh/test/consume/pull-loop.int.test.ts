import { testServer } from '@malha/testing'
import { connect, headers } from '@nats-io/transport-node'
import { expect, test, vi } from 'vitest'
import { PullLoop } from '../../src/consume/pull-loop.ts'
import { watchConnection } from '../../src/lifecycle/connection-watch.ts'

/** A request for messages: when it came, how many lapses had been told by then, and what it asks for. */
type Asked = { atMs: number; lapses: number; batch: number; bytes: number | undefined }

/** What a durable does with a request: it has no leader, it has one, the request is lost, or the next message has more bytes than it asks for. */
type Answer = 'refused' | 'heartbeat' | 'lost' | 'too large'

/** A loop on a real connection, whose requests this test answers as a durable does. */
async function answered(answer: (asked: readonly Asked[]) => Answer) {
  await using opened = new AsyncDisposableStack()
  const server = opened.use(await testServer())
  const [nc, durable] = await Promise.all([connect({ servers: server.url }), connect({ servers: server.url })])
  for (const connection of [nc, durable]) opened.defer(() => connection.close())
  const asked: Asked[] = []
  const onLapse = vi.fn<() => void>()
  const onDoubt = vi.fn<(why: string) => void>()
  durable.subscribe('$JS.API.CONSUMER.MSG.NEXT.S.d', {
    callback(error, request) {
      if (error) return
      const { batch, max_bytes: bytes } = request.json<{ batch: number; max_bytes?: number }>()
      asked.push({ atMs: performance.now(), lapses: onLapse.mock.calls.length, batch, bytes })
      const said = answer(asked)
      if (said === 'refused') request.respond('', { headers: headers(503, 'No Responders') })
      if (said === 'too large') {
        const over = headers(409, 'Message Size Exceeds MaxBytes')
        over.set('Nats-Pending-Messages', String(batch))
        over.set('Nats-Pending-Bytes', String(bytes))
        request.respond('', { headers: over })
      }
      if (said === 'heartbeat') request.respond('', { headers: headers(100, 'Idle Heartbeat') })
    },
  })
  await durable.flush()
  const connection = watchConnection(nc)
  const loop = new PullLoop(nc, {
    connection,
    stream: 'S',
    durable: 'd',
    limit: 8,
    // Silence is not to be told here.
    heartbeatMs: 20_000,
    onMessage: () => undefined,
    onLapse,
    onDoubt,
  })
  opened.defer(() => loop.stop())
  const disposable = opened.move()
  return { asked, onLapse, onDoubt, [Symbol.asyncDispose]: () => disposable.disposeAsync() }
}

const ENOUGH = { timeout: 30_000 }

test('however long nobody leads a durable, it is asked again within a moment', async () => {
  await using t = await answered(() => 'refused')
  await vi.waitFor(() => expect(t.asked.length).toBeGreaterThanOrEqual(9), ENOUGH)
  const pauses = t.asked.slice(1).map(({ atMs }, index) => atMs - t.asked[index]!.atMs)
  // They would be the longest if they grew; one of them is short, however busy the machine is.
  expect(Math.min(...pauses.slice(-3))).toBeLessThan(1000)
})

test('not every refusal is told, but once somebody leads it again, that is', async () => {
  let ledAt = Infinity
  await using t = await answered((asked) => {
    const [before, now] = asked.slice(-2)
    // The refusal before was not told.
    if (ledAt === Infinity && asked.length >= 9 && before!.lapses === now!.lapses) ledAt = asked.length
    return asked.length >= ledAt ? 'heartbeat' : 'refused'
  })
  await vi.waitFor(() => expect(ledAt).toBeLessThan(Infinity), ENOUGH)
  const told = t.asked[ledAt - 1]!.lapses
  expect(told).toBeLessThan(ledAt - 1)
  expect(t.onDoubt.mock.calls.length).toBeLessThan(ledAt - 1)
  await vi.waitFor(() => expect(t.onLapse).toHaveBeenCalledTimes(told + 1), ENOUGH)
})

test('a request that is lost while a leader takes over is made again long before a heartbeat is missed', async () => {
  await using t = await answered(({ length }) => (length === 1 ? 'refused' : 'lost'))
  await vi.waitFor(() => expect(t.asked.length).toBeGreaterThanOrEqual(4), ENOUGH)
  expect(t.onDoubt).not.toHaveBeenCalledWith('no heartbeat')
})

test('a message that is larger than a request may have is asked for alone, whatever it has', async () => {
  await using t = await answered((asked) => (asked.length === 1 ? 'too large' : 'heartbeat'))
  await vi.waitFor(() => expect(t.asked.length).toBe(2), ENOUGH)
  expect(t.asked.map(({ batch, bytes }) => [batch, bytes])).toEqual([
    [8, expect.any(Number)],
    [1, undefined],
  ])
  expect(t.onLapse).not.toHaveBeenCalled()
})
