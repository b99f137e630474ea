import assert from 'node:assert/strict'
import {
  defineService,
  isReplyError,
  type Mesh,
  reply,
  replyError,
  request,
  type RunningService,
  type ServiceDef,
} from '@malha/mesh'
import { z } from 'zod'
import { eventually } from '../eventually.ts'
import { type Case, type ConformanceEnv, promise } from './case.ts'
import { refused } from './kit.ts'
import { known, withReply } from './request-kit.ts'

const double = request('number.double', {
  schema: z.object({ n: z.string().transform(Number) }),
  reply: z.object({ n: z.number(), by: z.string() }),
  errors: { 'number.negative': z.object({ n: z.number() }) },
})
const text = request('number.text', { schema: z.number(), reply: z.string(), idempotent: true })

/** Answers `number.double`; `by` tells the instances apart. */
function doubling(by: string, onCall: () => void = () => undefined): ServiceDef {
  const answer = reply(double, ({ n }) => {
    onCall()
    if (n < 0) throw replyError(double, 'number.negative', { n })
    if (n === 0) throw new Error('the secret is 42')
    return { n: 2 * n, by }
  })
  return defineService('numbers', { handlers: {}, replies: { double: answer } })
}

const answered: Case = promise(
  'a request gets its reply, an error of its contract with its data, and of any other error nothing but that it failed',
  async (env) => {
    await (await env.mesh()).start(doubling('a'))
    const asker = await env.mesh()
    assert.deepEqual(await asker.request(double, { n: '21' }, known), { n: 42, by: 'a' })
    const negative: unknown = await asker.request(double, { n: '-1' }).catch((error: unknown) => error)
    assert.ok(isReplyError(negative, double))
    assert.deepEqual({ code: negative.code, data: negative.data }, { code: 'number.negative', data: { n: -1 } })
    const failed = await refused(asker.request(double, { n: '0' }), 'MESH_REQUEST_FAILED')
    assert.doesNotMatch(failed.message, /secret/)
  },
)

const nobody: Case = promise('a request that nobody answers is an error at once', async (env) => {
  const mesh = await env.mesh()
  await refused(mesh.request(double, { n: '1' }, { timeoutMs: 60_000 }), 'MESH_NO_RESPONDER')
  await refused(mesh.request(double, { n: '1' }, { timeoutMs: 2000, waitForResponder: true }), 'MESH_NO_RESPONDER')
})

const shared: Case = promise('instances share the requests, and each is answered by one of them', async (env) => {
  let calls = 0
  for (const by of ['a', 'b', 'c']) await (await env.mesh()).start(doubling(by, () => calls++))
  const asker = await env.mesh()
  // A server of a cluster prefers instances of its own until it knows of the others.
  await seenFrom(asker, 3)
  calls = 0
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, n) => asker.request(double, { n: String(n + 1) }, known)),
  )
  assert.deepEqual(
    answers.map(({ n }) => n),
    answers.map((_, n) => 2 * (n + 1)),
  )
  assert.equal(calls, 200)
})

const ROLLS = 20

const rolling: Case = promise(`${ROLLS} rolling restarts under load: no request fails`, async (env) => {
  let calls = 0
  const start = async (by: string): Promise<{ mesh: Mesh; running: RunningService }> => {
    const mesh = await env.mesh()
    const running = await mesh.start(doubling(by, () => calls++))
    await mesh.nats.flush()
    return { mesh, running }
  }
  const instances = [await start('a'), await start('b')]
  const asker = await env.mesh()
  await seenFrom(asker, 2)
  calls = 0
  const load = asking(asker)
  for (let roll = 0; roll < ROLLS; roll++) {
    instances.push(await start(`r${roll}`))
    await load.next(20)
    const leaving = instances.shift()
    await leaving?.running.stop()
    await leaving?.mesh.close()
  }
  const asked = await load.stop()
  assert.equal(calls, asked, 'each request is answered by one call')
  assert.ok(asked >= ROLLS * 20)
})

/** Asks eight at a time, each as soon as one is answered. Stopping throws the first failure. */
function asking(mesh: Mesh): { next(count: number): Promise<void>; stop(): Promise<number> } {
  const stop = new AbortController()
  let done = 0
  const lane = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await mesh.request(double, { n: '1' }, { timeoutMs: 20_000 })
      done++
    }
  }
  const lanes = Promise.all(Array.from({ length: 8 }, lane))
  lanes.catch(() => stop.abort())
  return {
    async next(count) {
      const target = done + count
      await eventually(() => done >= target || stop.signal.aborted, { timeoutMs: 60_000 })
    },
    async stop() {
      stop.abort()
      await lanes
      return done
    },
  }
}

/** Waits until requests reach that many instances, so that every server knows them. */
async function seenFrom(mesh: Mesh, instances: number): Promise<void> {
  const seen = new Set<string>()
  await eventually(async () => {
    seen.add((await mesh.request(double, { n: '1' }, known)).by)
    assert.equal(seen.size >= instances, true)
  })
}

const drained: Case = promise('a service that stops answers what it took, and takes nothing new', async (env) => {
  const begun = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  const answer = reply(double, async ({ n }) => {
    begun.resolve()
    await gate.promise
    return { n, by: 'a' }
  })
  const running = await (await env.mesh()).start(withReply({ answer }))
  const asker = await env.mesh()
  const asked = asker.request(double, { n: '7' }, known)
  await begun.promise
  const stopping = running.stop()
  await eventually(() => refused(asker.request(double, { n: '8' }, { timeoutMs: 200 }), 'MESH_NO_RESPONDER'))
  gate.resolve()
  assert.equal((await asked).n, 7)
  await stopping
})

const tooLarge: Case = promise(
  'a reply over the limit is an error for its requester, and the next one is answered',
  async (env) => {
    const mesh = await env.mesh()
    await mesh.start(withReply({ answer: reply(text, (length) => 'x'.repeat(length)) }))
    const limit = env.nats.info?.max_payload ?? 0
    const asker = await env.mesh()
    assert.equal((await asker.request(text, 10, known)).length, 10)
    await refused(asker.request(text, limit, { timeoutMs: 60_000 }), 'MESH_REPLY_TOO_LARGE')
    assert.equal((await asker.request(text, 10)).length, 10)
  },
)

const overload: Case = promise(
  'one request more than a reply takes is told to come later, and is not begun',
  async (env) => {
    const gate = Promise.withResolvers<void>()
    let calls = 0
    const answer = reply(text, { concurrency: 1, waiting: 1 }, async (length) => {
      calls++
      await gate.promise
      return 'x'.repeat(length)
    })
    await (await env.mesh()).start(withReply({ answer }))
    const asker = await env.mesh()
    const first = asker.request(text, 1, known)
    await eventually(() => assert.equal(calls, 1))
    const second = asker.request(text, 2, known)
    await refused(asker.request(text, 3, { timeoutMs: 60_000 }), 'MESH_BUSY')
    const fourth = asker.request(text, 4, known)
    gate.resolve()
    assert.deepEqual(
      (await Promise.all([first, second, fourth])).map(({ length }) => length),
      [1, 2, 4],
    )
    assert.equal(calls, 3)
  },
)

const discovered: Case = promise('an instance answers the NATS micro protocol with its endpoints', async (env) => {
  const mesh = await env.mesh()
  await mesh.start(doubling('a'))
  await (await env.mesh()).request(double, { n: '1' }, known)
  const name = mesh.names.micro('numbers')
  const asked = async (verb: string): Promise<Record<string, unknown>> =>
    eventually(async () => (await env.nats.request(`$SRV.${verb}.${name}`)).json())
  assert.equal((await asked('PING'))['type'], 'io.nats.micro.v1.ping_response')
  const [endpoint] = (await asked('INFO'))['endpoints'] as Record<string, unknown>[]
  assert.equal(endpoint?.['subject'], `${env.namespace}.request.number.double`)
  const [stats] = (await asked('STATS'))['endpoints'] as Record<string, unknown>[]
  assert.deepEqual([stats?.['num_requests'], stats?.['num_errors']], [1, 0])
})

const outage: Case = promise(
  'requests outlive the kill of a server: an idempotent one is asked again, one asked meanwhile waits its time',
  async (env) => {
    const gate = Promise.withResolvers<void>()
    let calls = 0
    const answer = reply(text, async (length) => {
      if (calls++ === 0) await gate.promise
      return 'x'.repeat(length)
    })
    const responder = await env.mesh()
    await responder.start(withReply({ answer }))
    const asker = await env.mesh()
    const before = asker.request(text, 3, { ...known, timeoutMs: 60_000 })
    await eventually(() => assert.equal(calls, 1))
    await restartAll(env)
    const after = asker.request(text, 5, { ...known, timeoutMs: 60_000 })
    assert.equal((await after).length, 5)
    // Where both stayed connected, the first call is still being answered.
    gate.resolve()
    assert.equal((await before).length, 3)
  },
  ['restart'],
)

/** Of a cluster the server that leads the dead letters: some of the connections are on it. */
function restartAll(env: ConformanceEnv): Promise<void> {
  return env.server.restart(`${env.namespace}_DEAD_LETTERS`)
}

export const requestCases: readonly Case[] = [
  answered,
  nobody,
  shared,
  rolling,
  drained,
  tooLarge,
  overload,
  discovered,
  outage,
]
