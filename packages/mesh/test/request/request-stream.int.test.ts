import { defineService, isReplyError, type Mesh, reply, replyError, request } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { headers, type Msg } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { recordingLogger } from './prices.ts'

const list = request('price.list', {
  schema: z.object({ count: z.number(), from: z.number().default(0) }),
  reply: z.object({ n: z.number() }),
  errors: { 'price.closed': z.object({ after: z.number() }) },
  streaming: true,
})

/** Gives `count` parts; `made` says how many it made, `ended` why it ended. */
function listing() {
  const state = { made: 0, ended: '' }
  const answer = reply(list, async function* ({ count, from }, ctx) {
    try {
      for (let n = from; n < from + count; n++) {
        state.made++
        yield { n }
      }
      state.ended = 'whole'
    } finally {
      state.ended ||= ctx.signal.aborted ? String(ctx.signal.reason) : 'left'
    }
  })
  return { state, service: defineService('lists', { handlers: {}, replies: { answer } }) }
}

async function collect(mesh: Mesh, count: number, options = {}): Promise<number[]> {
  const got: number[] = []
  for await (const { n } of mesh.requestStream(list, { count }, options)) got.push(n)
  return got
}

test('every part comes, in order, and then the end, whether there are none or more than the window holds', async () => {
  await using env = await testMesh()
  const { service } = listing()
  await env.mesh.start(service)
  expect(await collect(env.mesh, 0)).toEqual([])
  expect(await collect(env.mesh, 1)).toEqual([0])
  expect(await collect(env.mesh, 1000)).toEqual(Array.from({ length: 1000 }, (_, n) => n))
  expect(await collect(env.mesh, 10, { window: 1 })).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
})

test('a responder is never further ahead than the window, however slow the requester is', async () => {
  await using env = await testMesh()
  const { service, state } = listing()
  await env.mesh.start(service)
  const ahead: number[] = []
  for await (const { n } of env.mesh.requestStream(list, { count: 60 }, { window: 8 })) {
    // Twice there and back: whatever it may send is here.
    await env.mesh.nats.flush()
    await env.nats.flush()
    ahead.push(state.made - (n + 1))
  }
  expect(ahead).toHaveLength(60)
  // One more is made and waits for room.
  expect(Math.max(...ahead)).toBeLessThanOrEqual(9)
  expect(Math.max(...ahead)).toBeGreaterThan(2)
})

test('an error of the contract in the middle comes after the parts before it', async () => {
  await using env = await testMesh()
  const answer = reply(list, async function* () {
    yield { n: 0 }
    yield { n: 1 }
    throw replyError(list, 'price.closed', { after: 2 })
  })
  await env.mesh.start(defineService('lists', { handlers: {}, replies: { answer } }))
  const got: number[] = []
  const read = async (): Promise<void> => {
    for await (const { n } of env.mesh.requestStream(list, { count: 5 })) got.push(n)
  }
  const error: unknown = await read().catch((caught: unknown) => caught)
  expect(got).toEqual([0, 1])
  expect(isReplyError(error, list) && error.data.after).toBe(2)
})

test('a part that does not fit the schema, or the server’s limit, ends the stream with an error on both sides', async () => {
  const { lines, logger } = recordingLogger()
  await using env = await testMesh({ logger })
  const texts = request('price.texts', { schema: z.number(), reply: z.string(), streaming: true })
  const answer = reply(texts, async function* (bytes) {
    yield 'first'
    yield bytes < 0 ? (bytes as never) : 'x'.repeat(bytes)
    yield 'never'
  })
  await env.mesh.start(defineService('lists', { handlers: {}, replies: { answer } }))
  const read = async (bytes: number): Promise<string[]> => {
    const got: string[] = []
    for await (const text of env.mesh.requestStream(texts, bytes)) got.push(text.slice(0, 5))
    return got
  }
  await expect(read(env.nats.info!.max_payload)).rejects.toThrow('MESH_REPLY_TOO_LARGE')
  await expect(read(-1)).rejects.toThrow('MESH_REQUEST_FAILED')
  expect(await read(10)).toEqual(['first', 'xxxxx', 'never'])
  expect(lines.filter(({ level }) => level === 'error').map(({ fields }) => fields['code'])).toEqual([
    'MESH_REPLY_TOO_LARGE',
    'MESH_REQUEST_FAILED',
  ])
})

test('a requester that leaves early ends the responder’s generator', async () => {
  await using env = await testMesh()
  const { service, state } = listing()
  await env.mesh.start(service)
  for await (const { n } of env.mesh.requestStream(list, { count: 1_000_000 })) if (n === 3) break
  await eventually(() => expect(state.ended).toContain('the requester stopped early'))
  expect(state.made).toBeLessThan(200)
})

test('a requester’s signal ends the loop at once and the responder’s generator too', async () => {
  await using env = await testMesh()
  const { service, state } = listing()
  await env.mesh.start(service)
  const stop = new AbortController()
  const read = async (): Promise<void> => {
    for await (const { n } of env.mesh.requestStream(list, { count: 1_000_000 }, { signal: stop.signal }))
      if (n === 3) stop.abort(new Error('enough'))
  }
  await expect(read()).rejects.toThrow('enough')
  await eventually(() => expect(state.ended).toContain('the requester stopped early'))
})

test('a requester that vanishes is noticed before the idle time, and its generator ended', async () => {
  await using env = await testMesh()
  const { service, state } = listing()
  await env.mesh.start(service)
  const asker = await env.connect()
  const parts = asker.requestStream(list, { count: 1_000_000 }, { idleMs: 3000 })
  await parts.next()
  await asker.nats.close()
  await eventually(() => expect(state.ended).toContain('the requester is gone'))
  await parts.return()
})

test('a responder that vanishes in the middle is an error within the idle time, never a short answer', async () => {
  await using env = await testMesh()
  const responder = await env.connect()
  const answer = reply(list, async function* (_, ctx) {
    yield { n: 0 }
    yield { n: 1 }
    await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve))
  })
  await responder.start(defineService('lists', { handlers: {}, replies: { answer } }))
  const got: number[] = []
  const read = async (): Promise<void> => {
    for await (const { n } of env.mesh.requestStream(list, { count: 5 }, { idleMs: 3000, timeoutMs: 600_000 })) {
      got.push(n)
      if (n === 1) await responder.nats.close()
    }
  }
  await expect(read()).rejects.toThrow('MESH_REPLY_BROKEN: price.list: its responder is gone, after 2 parts')
  expect(got).toEqual([0, 1])
})

test('a long step of the generator is no silence', async () => {
  await using env = await testMesh()
  const answer = reply(list, async function* () {
    yield { n: 0 }
    // The time that has to pass is what is tested: three times the idle time.
    await new Promise((resolve) => setTimeout(resolve, 1800))
    yield { n: 1 }
  })
  await env.mesh.start(defineService('lists', { handlers: {}, replies: { answer } }))
  expect(await collect(env.mesh, 2, { idleMs: 600 })).toEqual([0, 1])
})

test('a deadline ends a stream that goes on', async () => {
  await using env = await testMesh()
  const answer = reply(list, async function* (_, ctx) {
    yield { n: 0 }
    await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve))
  })
  await env.mesh.start(defineService('lists', { handlers: {}, replies: { answer } }))
  await expect(collect(env.mesh, 1, { timeoutMs: 400 })).rejects.toThrow(/MESH_REQUEST_TIMEOUT|took too long/)
})

test('nobody there, or a responder that says nothing, is an error like that of a request', async () => {
  await using env = await testMesh()
  await expect(collect(env.mesh, 1)).rejects.toThrow('MESH_NO_RESPONDER')
  env.nats.subscribe(env.mesh.names.request('price.list'), { callback: () => undefined })
  await env.nats.flush()
  await expect(collect(env.mesh, 1, { idleMs: 300 })).rejects.toThrow('MESH_REQUEST_TIMEOUT')
  await expect(collect(env.mesh, 1, { window: 0, idleMs: 1 })).rejects.toThrow(/window is 0.*idleMs is 1/s)
})

test('a side that is there and says nothing counts as gone after the idle time', async () => {
  await using env = await testMesh()
  const { service, state } = listing()
  await env.mesh.start(service)
  const subject = env.mesh.names.request('price.list')
  const block = headers()
  block.set('malha-idle-ms', '300')
  env.nats.subscribe('quiet.inbox', { callback: () => undefined })
  env.nats.publish(subject, '{"count":1000}', { reply: 'quiet.inbox', headers: block })
  await eventually(() => expect(state.ended).not.toBe(''))

  await using other = await testMesh({ server: env.server })
  other.nats.subscribe(other.mesh.names.request('price.list'), {
    callback: (_, msg) => say(msg, 'part', 1, 'quiet.on'),
  })
  other.nats.subscribe('quiet.on', { callback: () => undefined })
  await other.nats.flush()
  await expect(collect(other.mesh, 2, { idleMs: 300 })).rejects.toThrow('has been silent for 300 ms, after 1 parts')
})

/** Says `kind` and `part` to whoever asked, as a responder would whose messages get lost on the way. */
function say(msg: Msg, kind: string, part: number, reply = ''): void {
  const block = headers()
  block.set('malha-reply', kind)
  block.set('malha-part', String(part))
  msg.respond(kind === 'part' ? `{"n":${part}}` : '', { headers: block, reply })
}

test.each([
  ['a part is missing', ['alive 0', 'part 1', 'part 3']],
  ['the end says more parts than came', ['alive 0', 'part 1', 'end 2']],
  ['a sign of life says more parts than came', ['alive 0', 'part 1', 'alive 2']],
  ['a part comes twice', ['alive 0', 'part 1', 'part 1']],
  ['a part has no number', ['alive 0', 'part 1', 'part x']],
])('%s: MESH_REPLY_BROKEN', async (_, said) => {
  await using env = await testMesh()
  env.nats.subscribe(env.mesh.names.request('price.list'), {
    callback(_error, msg) {
      for (const [kind, part] of said.map((one) => one.split(' '))) say(msg, kind!, Number(part))
    },
  })
  await env.nats.flush()
  await expect(collect(env.mesh, 5, { timeoutMs: 30_000 })).rejects.toThrow('MESH_REPLY_BROKEN: price.list: part 2 is')
})

test('contracts that differ on whether there is a stream are an error on either side', async () => {
  await using env = await testMesh()
  const once = request('price.list', { schema: z.object({ count: z.number() }), reply: z.object({ n: z.number() }) })
  await env.mesh.start(listing().service)
  await expect(env.mesh.request(once, { count: 1 })).rejects.toThrow('MESH_REPLY_BROKEN')
  await using other = await testMesh({ server: env.server })
  const answer = reply(once, () => ({ n: 1 }))
  await other.mesh.start(defineService('lists', { handlers: {}, replies: { answer } }))
  await expect(collect(other.mesh, 1)).rejects.toThrow('MESH_REPLY_BROKEN')
})
