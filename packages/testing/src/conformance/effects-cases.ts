import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  defineService,
  event,
  hours,
  type HandlerContext,
  type Mesh,
  on,
  seconds,
  type ServiceDef,
  stream,
} from '@malha/mesh'
import { eventually } from '../eventually.ts'
import { promise, type Case, type ConformanceEnv } from './case.ts'
import { briefly, deadLetters, kept, type Kept, manager, Order, order, recorder, settled } from './kit.ts'

const WINDOW_MS = 200
/** Its window is short, so that ids alone would not do. */
const brief = stream('BRIEF', {
  subjects: ['brief.>'],
  duplicateWindowMs: WINDOW_MS,
  maxAgeMs: hours(1),
  maxBytes: 16 * 2 ** 20,
})
const ofBrief = { stream: brief, schema: Order, key: (data: Order): string => data.orderId }
const opened = event('brief.opened', ofBrief)
const counted = event('brief.counted', ofBrief)
const closed = event('brief.closed', ofBrief)

const published = (all: readonly Kept[], type: string): Kept[] =>
  all.filter(({ headers }) => headers['ce-type'] === type)
const isMarker = ({ subject }: Kept): boolean => subject.includes('_done.')

/** Publishes it as another event of the same id, once the server has forgotten the id. */
async function publishAgain(mesh: Mesh, n: number, times: number): Promise<void> {
  for (let time = 0; time < times; time += 1) {
    if (time > 0) await sleep(WINDOW_MS * 3)
    const answer = await mesh.publish(opened, order(n), { id: `p${n}` })
    assert.equal(answer.duplicate, false)
  }
}

const twice: Case = promise(
  'effects once: a handler that runs again, past the duplicate window and in another process, publishes nothing',
  async (env) => {
    const seen = recorder()
    const service = counting(seen.note)
    const mesh = await env.mesh()
    await mesh.provision(service)
    await mesh.start(service)
    await (await env.mesh()).start(service)
    await Promise.all([1, 2, 3].map((n) => publishAgain(mesh, n, 3)))
    await eventually(() => assert.equal(seen.calls.length, 9))
    await settled(env, 'BRIEF', 'counter_count')
    const all = await kept(env, 'BRIEF')
    assert.equal(published(all, opened.type).length, 9)
    assert.equal(published(all, counted.type).length, 3)
    assert.equal(published(all, closed.type).length, 6)
    assert.equal(all.filter(isMarker).length, 3)
    assert.deepEqual(await kept(env, 'DEAD_LETTERS'), [])
  },
)

function counting(note: (data: Order, ctx: HandlerContext) => unknown): ServiceDef {
  return defineService('counter', {
    publishes: [counted],
    handlers: {
      count: on(opened, { startFrom: 'all', effects: 'once', ackWaitMs: seconds(2) }, (data, ctx) => {
        note(data, ctx)
        ctx.publish(counted, data)
        ctx.publish(closed, { ...data, n: 1 })
        ctx.publish(closed, { ...data, n: 2 })
      }),
    },
  })
}

const failedFirst: Case = promise(
  'effects once: an attempt that fails publishes nothing, the one that succeeds publishes all, once',
  async (env) => {
    const seen = recorder()
    const service = defineService('counter', {
      publishes: [counted],
      handlers: {
        count: on(opened, { startFrom: 'all', effects: 'once', retry: briefly, concurrency: 4 }, (data, ctx) => {
          seen.note(data, ctx)
          ctx.publish(counted, { ...data, n: seen.calls.length })
          if (ctx.attempt === 1 && data.n % 2 === 0) throw new Error('not yet')
        }),
      },
    })
    const mesh = await env.mesh()
    await mesh.start(service)
    await Promise.all(Array.from({ length: 40 }, (_, n) => mesh.publish(opened, order(n))))
    await eventually(async () => assert.equal(published(await kept(env, 'BRIEF'), counted.type).length, 40))
    await settled(env, 'BRIEF', 'counter_count')
    const all = await kept(env, 'BRIEF')
    assert.equal(published(all, counted.type).length, 40)
    assert.equal(new Set(published(all, counted.type).map(({ headers }) => headers['ce-id'])).size, 40)
    assert.equal(seen.calls.length, 60)
  },
)

const elsewhere = stream('ELSEWHERE', { subjects: ['elsewhere.>'], maxAgeMs: hours(1), maxBytes: 2 ** 20 })
const copied = event('elsewhere.copied', { stream: elsewhere, schema: Order })

const twoStreams: Case = promise(
  'effects once: outputs of two streams, and another message under a handled id, are dead letters and publish nothing',
  async (env) => {
    const service = defineService('counter', {
      publishes: [counted, copied],
      handlers: {
        count: on(opened, { startFrom: 'all', effects: 'once' }, (data, ctx) => {
          ctx.publish(counted, data)
          if (data.n === 2) ctx.publish(copied, data)
        }),
      },
    })
    const mesh = await env.mesh()
    await mesh.start(service)
    await mesh.publish(opened, order(1), { id: 'same' })
    await mesh.publish(opened, order(2))
    await sleep(WINDOW_MS * 3)
    await mesh.publish(opened, { ...order(1), n: 7 }, { id: 'same' })
    const letters = await deadLetters(env, 2)
    const codes = letters.map(({ headers }) => headers['malha-dlq-code'])
    assert.deepEqual(codes, ['MESH_INVALID_BATCH', 'MESH_ID_CONFLICT'])
    const all = await kept(env, 'BRIEF')
    assert.deepEqual(
      published(all, counted.type).map(({ data }) => (JSON.parse(data.toString()) as Order).n),
      [1],
    )
    assert.deepEqual(await kept(env, 'ELSEWHERE'), [])
  },
)

const withOnce: Case = promise(
  'effects once: an output that is to exist once and does is left out, the others are stored',
  async (env) => {
    const service = defineService('counter', {
      publishes: [counted],
      handlers: {
        count: on(opened, { startFrom: 'all', effects: 'once' }, (data, ctx) => {
          ctx.publish(counted, { orderId: 'first', n: 0 }, { once: true })
          ctx.publish(counted, { orderId: 'first', n: 1 }, { once: true })
          ctx.publish(closed, data)
        }),
      },
    })
    const mesh = await env.mesh()
    await mesh.start(service)
    await Promise.all(Array.from({ length: 10 }, (_, n) => mesh.publish(opened, order(n))))
    await eventually(async () => assert.equal(published(await kept(env, 'BRIEF'), closed.type).length, 10))
    await settled(env, 'BRIEF', 'counter_count')
    const all = await kept(env, 'BRIEF')
    assert.equal(published(all, counted.type).length, 1)
    assert.equal(published(all, closed.type).length, 10)
    assert.deepEqual(await kept(env, 'DEAD_LETTERS'), [])
  },
)

const leaderDied: Case = promise(
  'effects once: a broker killed while outputs are stored: each message has its outputs, all of them, once',
  async (env) => {
    const seen = recorder()
    const service = counting(seen.note)
    const mesh = await env.mesh()
    await mesh.provision(service)
    const other = await env.mesh()
    await Promise.all([mesh.start(service), other.start(service)])
    const publishing = Promise.all(Array.from({ length: 300 }, (_, n) => mesh.publish(opened, order(n))))
    await eventually(async () => assert.equal((await stored(env)) > 400, true))
    await env.server.restart(`${env.namespace}_BRIEF`)
    await publishing
    // Nothing is asked of the server before it is back: what is asked meanwhile gets no answer for ten seconds.
    await eventually(() => assert.equal(new Set(seen.ids()).size, 300), { timeoutMs: 60_000 })
    await eventually(async () => assert.equal((await stored(env)) >= 300 * 5, true), {
      timeoutMs: 60_000,
    })
    await settled(env, 'BRIEF', 'counter_count')
    const all = await kept(env, 'BRIEF')
    for (const [type, count] of [
      [counted.type, 1],
      [closed.type, 2],
    ] as const) {
      const causes = published(all, type).map(({ headers }) => headers['ce-causationid'])
      assert.equal(causes.length, 300 * count)
      assert.equal(new Set(causes).size, 300)
    }
    assert.equal(all.filter(isMarker).length, 300)
  },
  ['restart'],
)

const stored = async (env: ConformanceEnv): Promise<number> =>
  (await (await manager(env)).streams.info(`${env.namespace}_BRIEF`)).state.messages

export const effectsCases: readonly Case[] = [twice, failedFirst, twoStreams, withOnce, leaderDied]
