import { defineService, reply, replyError, request } from '@malha/mesh'
import { eventually, testMesh, testServer } from '@malha/testing'
import { connect, headers, type Msg } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { watchConnection } from '../../src/lifecycle/connection-watch.ts'
import { ask } from '../../src/request/ask.ts'
import { ReplyInbox } from '../../src/request/reply-inbox.ts'
import { slow } from './prices.ts'

const count = request('price.count', { schema: z.object({ upTo: z.number() }), reply: z.number(), streaming: true })

const counting = defineService('counting', {
  handlers: {},
  replies: {
    count: reply(count, async function* ({ upTo }) {
      for (let n = 1; n <= upTo; n++) yield n
    }),
  },
})

const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length

test('a stream that nobody reads on holds nothing past its deadline, and one that is never read asks nothing', async () => {
  const inflight: number[] = []
  const none = (): void => undefined
  const gauge = ({ name }: { name: string }) => ({
    set: (_: object, value: number) => void (name === 'mesh_requests_inflight' && inflight.push(value)),
  })
  await using env = await testMesh({
    metrics: { counter: () => ({ add: none }), histogram: () => ({ observe: none }), gauge },
  })
  await env.mesh.start(counting)
  const before = timers()
  env.mesh.requestStream(count, { upTo: 1000 })
  expect(inflight).toEqual([])
  const forgotten = env.mesh.requestStream(count, { upTo: 1000 }, { timeoutMs: 500 })
  expect((await forgotten.next()).value).toBe(1)
  await eventually(() => expect(inflight).toEqual([1, 0]))
  await eventually(() => expect(timers()).toBeLessThanOrEqual(before))
})

test('a signal that aborts when the end is here but not read yet is an error, never a short answer', async () => {
  await using env = await testMesh()
  await env.mesh.start(counting)
  const stop = new AbortController()
  const got: number[] = []
  const read = async (): Promise<void> => {
    for await (const n of env.mesh.requestStream(count, { upTo: 20 }, { signal: stop.signal })) {
      got.push(n)
      if (n > 1) continue
      // Whatever was sent is here after a while of silence.
      for (let round = 0; round < 5; round++) await env.mesh.nats.flush()
      stop.abort(new Error('no longer needed'))
    }
  }
  await expect(read()).rejects.toThrow('no longer needed')
  expect(got).toEqual([1])
})

/** As a responder says it. */
function say(msg: Msg, kind: string, part: number, reply: string): void {
  const block = headers()
  block.set('malha-reply', kind)
  block.set('malha-part', String(part))
  msg.respond(kind === 'part' ? String(part) : '', { headers: block, reply })
}

test('a responder that sends more than it may fill nobody’s memory: MESH_REPLY_BROKEN', async () => {
  await using env = await testMesh()
  env.nats.subscribe('flood.on', { callback: () => undefined })
  env.nats.subscribe(env.mesh.names.request('price.count'), {
    callback(_, msg) {
      say(msg, 'alive', 0, 'flood.on')
      for (let part = 1; part <= 100; part++) say(msg, 'part', part, 'flood.on')
    },
  })
  await env.nats.flush()
  const read = async (): Promise<void> => {
    for await (const _ of env.mesh.requestStream(count, { upTo: 100 }, { window: 2 })) await env.mesh.nats.flush()
  }
  await expect(read()).rejects.toThrow('MESH_REPLY_BROKEN: price.count: its responder sends more parts than it may')
})

test('an answer to a subject of the server’s own would be a command, and is not given', async () => {
  await using env = await testMesh()
  await env.mesh.start(counting)
  const commands: string[] = []
  env.nats.subscribe('$JS.API.STREAM.PURGE.>', { callback: (_, msg) => void commands.push(msg.subject) })
  await env.nats.flush()
  const reply = '$JS.API.STREAM.PURGE.ORDERS'
  env.nats.publish(env.mesh.names.request('price.count'), '{"upTo":3}', { reply })
  env.nats.publish('$SRV.PING', '', { reply })
  const got: number[] = []
  for await (const n of env.mesh.requestStream(count, { upTo: 3 })) got.push(n)
  await env.nats.flush()
  expect({ got, commands }).toEqual({ got: [1, 2, 3], commands: [] })
})

test('what a reply asked itself and was too large is no reply of its own that is too large', async () => {
  await using env = await testMesh()
  const large = request('price.large', {
    schema: z.number(),
    reply: z.string(),
    errors: { 'price.closed': z.object({ why: z.string() }) },
  })
  const outer = request('price.outer', { schema: z.number(), reply: z.string() })
  const why = (bytes: number): string => 'x'.repeat(bytes)
  await env.mesh.start(
    defineService('pricing', {
      handlers: {},
      replies: {
        large: reply(large, (bytes) => {
          if (bytes < 0) throw replyError(large, 'price.closed', { why: why(-bytes) })
          return why(bytes)
        }),
        outer: reply(outer, (bytes) => env.mesh.request(large, bytes)),
      },
    }),
  )
  const limit = env.nats.info!.max_payload
  await expect(env.mesh.request(large, limit)).rejects.toThrow('MESH_REPLY_TOO_LARGE: the reply to price.large has')
  await expect(env.mesh.request(outer, limit)).rejects.toThrow('MESH_REQUEST_FAILED: price.outer failed')
  // The data of an error are a reply like any.
  await expect(env.mesh.request(large, -limit)).rejects.toThrow('MESH_REPLY_TOO_LARGE: the reply to price.large has')
})

test('a requester that may not subscribe to its inbox hears so at once, each time', async () => {
  const config = `authorization: { users: [
    { user: all, password: p },
    { user: some, password: p, permissions: { publish: ">", subscribe: { deny: ["refused.>"] } } }
  ] }`
  await using server = await testServer({ config })
  await using nc = { nc: await connect({ servers: server.url, user: 'some', pass: 'p' }), [Symbol.asyncDispose]: close }
  function close(): Promise<void> {
    return nc.nc.close()
  }
  const deps = { nc: nc.nc, connection: watchConnection(nc.nc), inbox: new ReplyInbox(nc.nc, 'refused') }
  const question = {
    type: slow.type,
    subject: 'request.price.slow',
    payload: new Uint8Array(0),
    headers: [],
    timeoutMs: 30_000,
    idempotent: false,
    waitForResponder: true,
    signal: new AbortController().signal,
  }
  for (let n = 0; n < 2; n++)
    await expect(ask(deps, question)).rejects.toThrow(
      /MESH_REQUEST_FAILED: price.slow: its answer cannot be received.*may not subscribe to refused\./,
    )
})
